"""What connector and edge say to each other: frames over a WebSocket.

A frame is a stream's number (4 bytes, big-endian), its kind (1 byte) and a payload. One stream
carries one request and its answer; the edge numbers them.
"""

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum

_PREFIX = struct.Struct(">IB")
_LENGTH = struct.Struct(">I")

# Cloudflare's limit for a request's body on its free plan.
BODY_LIMIT = 100 << 20
# A peer that has gone silent is given up after at most one and a half of this (QUIC's keepalive
# in cloudflared: 1 s, its idle timeout: 5 s).
HEARTBEAT_SECONDS = 3.0

# Meant for one hop only (RFC 9110, 7.6.1).
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

Headers = list[tuple[str, str]]


class Kind(IntEnum):
    """What a frame is."""

    REQUEST = 1  # edge to connector: head and whole body
    HEAD = 2  # connector to edge: status and headers
    DATA = 3  # connector to edge: a piece of the body
    END = 4  # connector to edge: that was all
    RESET = 5  # either way: this stream is dead
    DRAIN = 6  # connector to edge: no new streams on this connection


@dataclass(frozen=True)
class Request:
    """A visitor's request; ``target`` is path and query as they came."""

    method: str
    target: str
    headers: Headers


@dataclass(frozen=True)
class Head:
    """The beginning of an answer."""

    status: int
    headers: Headers


@dataclass(frozen=True)
class Frame:
    """One message."""

    stream: int
    kind: Kind
    payload: bytes = b""

    def pack(self) -> bytes:
        """As it goes over the wire."""
        return _PREFIX.pack(self.stream, self.kind) + self.payload

    @staticmethod
    def unpack(message: bytes) -> "Frame":
        """The opposite of ``pack``; ValueError or struct.error if it is no frame."""
        stream, kind = _PREFIX.unpack_from(message)
        return Frame(stream, Kind(kind), message[_PREFIX.size :])


def pack_request(request: Request, body: bytes) -> bytes:
    """The payload of a REQUEST."""
    head = json.dumps(asdict(request)).encode()
    return _LENGTH.pack(len(head)) + head + body


def unpack_request(payload: bytes) -> tuple[Request, bytes]:
    """The opposite of ``pack_request``."""
    (length,) = _LENGTH.unpack_from(payload)
    split = _LENGTH.size + length
    head = json.loads(payload[_LENGTH.size : split])
    headers = [(name, value) for name, value in head["headers"]]
    return Request(head["method"], head["target"], headers), payload[split:]


def pack_head(head: Head) -> bytes:
    """The payload of a HEAD."""
    return json.dumps(asdict(head)).encode()


def unpack_head(payload: bytes) -> Head:
    """The opposite of ``pack_head``."""
    head = json.loads(payload)
    return Head(head["status"], [(name, value) for name, value in head["headers"]])


def end_to_end(headers: Headers) -> Headers:
    """``headers`` without those that are meant for one hop only."""
    named = {
        word.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for word in value.split(",")
    }
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]

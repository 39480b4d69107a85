"""The other nodes, as a setting names them: ``vps=link:http://10.0.0.1:8080,…``."""

import re
from dataclasses import dataclass
from typing import Final

_ENTRY: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,31})=(link|public):(https?://[^\s/?#@]+)/?")


@dataclass(frozen=True)
class PeerAddress:
    """Where a peer is asked how it is: ``path`` is 'link' or 'public', ``url`` has no path."""

    name: str
    path: str
    url: str


def read_peers(text: str) -> tuple[PeerAddress, ...]:
    """The addresses. Raises ValueError saying which entry is wrong, and how one is written."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    found = tuple(_address(entry) for entry in entries)
    if len({(peer.name, peer.path) for peer in found}) < len(found):
        raise ValueError("has a peer twice by the same path: each is watched once by each")
    return found


def _address(entry: str) -> PeerAddress:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"{entry!r} is no peer: write name=link:http://host:port or name=public:https://host"
        )
    name, path, url = match.groups()
    return PeerAddress(name, path, url)

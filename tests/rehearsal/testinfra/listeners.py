"""Who listens on a host, compared with what was meant. testinfra's `socket` knows no Darwin."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.rehearsal.testinfra.connection import Host
from tests.rehearsal.testinfra.environment import Listening

EVERYWHERE = "*"


@dataclass(frozen=True, order=True)
class Listener:
    """A socket that waits for others; `address` is `*` for all of the host's."""

    protocol: str
    address: str
    port: int
    process: str = "?"

    def __str__(self) -> str:
        """`tcp 127.0.0.1:8080 (python3)`."""
        return f"{self.protocol} {self.address}:{self.port} ({self.process})"

    @property
    def on_loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        return self.address != EVERYWHERE and ipaddress.ip_address(self.address).is_loopback


def parse_lsof(text: str) -> set[Listener]:
    """Read `lsof -nP -FcPn`: a field a line, its letter first; connected sockets hold `->`."""
    found = set()
    process, protocol = "?", ""
    for line in text.splitlines():
        letter, value = line[:1], line[1:]
        if letter == "c":
            process = value
        elif letter == "P":
            protocol = value.lower()
        elif letter == "n" and "->" not in value and not value.endswith(":*"):
            address, _, port = value.rpartition(":")
            found.add(Listener(protocol, _plain(address), int(port), process))
    return found


def parse_ss(text: str) -> set[Listener]:
    """Read `ss -lntupH`: protocol, state, two queues, own address, the peer's, who."""
    found = set()
    for line in text.splitlines():
        protocol, _state, _received, _sent, own, *rest = line.split()
        address, _, port = own.rpartition(":")
        who = re.search(r'users:\(\("([^"]+)"', " ".join(rest))
        found.add(Listener(protocol, _plain(address), int(port), who[1] if who else "?"))
    return found


def parse_netstat(text: str) -> set[Listener]:
    """Read macOS's `netstat -an`, which puts a dot before the port and names no program."""
    found = set()
    for line in text.splitlines():
        match = re.match(r"(tcp|udp)\d+\s+\d+\s+\d+\s+(\S+)\.(\d+)\s+\*\.\*\s*(\S*)", line)
        if match and (match[1] == "udp" or match[4] == "LISTEN"):
            found.add(Listener(match[1], _plain(match[2]), int(match[3])))
    return found


def _plain(address: str) -> str:
    """An address without brackets and zone; `*` for those that mean all."""
    address = address.strip("[]").partition("%")[0]
    return EVERYWHERE if address in {"*", "0.0.0.0", "::"} else address


def listeners(host: Host) -> set[Listener]:
    """All listening TCP and bound UDP sockets of a host, without those inside containers."""
    if host.exists("lsof"):
        tcp = host.check_output("lsof -nP -iTCP -sTCP:LISTEN -FcPn")
        udp = host.run("lsof -nP -iUDP -FcPn")  # fails when there is none
        return parse_lsof(tcp) | parse_lsof(udp.stdout)
    if host.exists("ss"):
        return parse_ss(host.check_output("ss -lntupH"))
    return parse_netstat(host.check_output("netstat -an"))


def difference(
    present: Iterable[Listener],
    link_address: str,
    wanted: Iterable[Listening],
    exceptions: Iterable[Listening],
) -> list[str]:
    """What is there and should not be (`+`), and what should and is not (`-`); empty when right.

    Loopback is free for all, except that what is wanted there must be there. On the link's
    address only what is wanted may listen, and anywhere else only what is excepted.
    """
    present, wanted = set(present), list(wanted)
    return [
        *(f"+ {item}" for item in sorted(_unexpected(present, link_address, wanted, exceptions))),
        *(
            f"- {want.protocol} {want.address or EVERYWHERE}:{want.port} ({want.reason})"
            for want in wanted
            if not any(_matches(item, want) for item in present)
        ),
    ]


def _unexpected(
    present: set[Listener],
    link_address: str,
    wanted: list[Listening],
    exceptions: Iterable[Listening],
) -> Iterator[Listener]:
    exceptions = list(exceptions)
    for item in present:
        allowed = wanted if item.address == link_address else exceptions
        if not item.on_loopback and not any(_matches(item, one) for one in allowed):
            yield item


def _matches(item: Listener, pattern: Listening) -> bool:
    return (
        item.protocol == pattern.protocol
        and pattern.address in {None, item.address}
        and pattern.port in {None, item.port}
        and (pattern.process is None or item.process.startswith(pattern.process))
    )

"""Where a request came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

from app.settings_api import Network


@dataclass(frozen=True)
class Origin:
    """The address of who asks, and whether our own tunnel speaks for them."""

    address: str
    through_tunnel: bool

    @property
    def limited_as(self) -> str:
        """Whom a limit counts: an IPv6 host has a whole /64 to ask from."""
        if ":" not in self.address:
            return self.address
        return str(ip_network(f"{self.address}/64", strict=False))


def origin_of(scope: Scope, tunnel: Sequence[Network]) -> Origin:
    """Who asks. ``CF-Connecting-IP`` is believed from our own tunnel only: ``tunnel``.

    cloudflared always sets it, so a request of a local program, which hasn't got it, is no visitor.
    """
    peer = _canonical(str((scope.get("client") or ("?",))[0])) or "?"
    told = Headers(scope=scope).getlist("cf-connecting-ip")
    if len(told) == 1 and _within(peer, tunnel) and (visitor := _canonical(told[0])):
        return Origin(visitor, through_tunnel=True)
    return Origin(peer, through_tunnel=bool(told))


def _within(peer: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:  # a Unix socket has no address
        return False
    return any(address in network for network in networks)


def _canonical(written: str) -> str | None:
    """One spelling for each address, or None; a zone (``%eth0``) makes none of a visitor's."""
    try:
        address = ip_address(written.strip())
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address).partition("%")[0]

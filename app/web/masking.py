"""Addresses as they may be kept."""

from ipaddress import ip_address, ip_network


def mask(address: str) -> str:
    """The network that an address is of, /24 or /48; ``?`` for what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return "?"
    return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False))

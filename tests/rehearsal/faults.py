"""Breaking the network: drops on the internet's bridge, and the home router's uplink.

Every packet between two hosts crosses the bridge in the controller's namespace, so one nftables
table there holds all cuts, and no guest can see or undo them.
"""

from tests.rehearsal.layout import (
    CONTROLLER_NETNS,
    EDGE_PORT,
    HOSTS,
    INTERNET,
    ROUTER_NETNS,
    Host,
)
from tests.rehearsal.network import inside, is_up
from tests.rehearsal.shell import RehearsalError, run, succeeds

TABLE = "bridge portiere_cuts"


def cut_link() -> None:
    """Drop all UDP between the Mac (as its router shows it) and the VPS, both ways."""
    mac, vps = (HOSTS[name].internet_address for name in ("mac", "vps"))
    _cut(
        "link",
        f"ip saddr {mac} ip daddr {vps} ip protocol udp drop",
        f"ip saddr {vps} ip daddr {mac} ip protocol udp drop",
    )


def cut_tunnel(host: Host) -> None:
    """Drop what goes from ``host`` to the edge's connector port, and back."""
    here, edge = host.internet_address, HOSTS["world"].address
    _cut(
        f"tunnel-{host.name}",
        f"ip saddr {here} ip daddr {edge} tcp dport {EDGE_PORT} drop",
        f"ip saddr {edge} ip daddr {here} tcp sport {EDGE_PORT} drop",
    )


def cut_uplink() -> None:
    """Take the router's leg on the internet down."""
    _require_network()
    run("ip", "-n", ROUTER_NETNS, "link", "set", INTERNET, "down")


def heal() -> None:
    """Undo every cut; harmless when there is none."""
    _require_network()
    if succeeds(*inside(CONTROLLER_NETNS), "nft", "list", "table", *TABLE.split()):
        run(*inside(CONTROLLER_NETNS), "nft", "delete", "table", *TABLE.split())
    run("ip", "-n", ROUTER_NETNS, "link", "set", INTERNET, "up")


def current() -> list[str]:
    """The cuts in force, e.g. ``["link", "uplink"]``."""
    listed = ""
    if succeeds(*inside(CONTROLLER_NETNS), "nft", "list", "table", *TABLE.split()):
        listed = run(*inside(CONTROLLER_NETNS), "nft", "list", "table", *TABLE.split())
    known = ("link", *(f"tunnel-{host}" for host in HOSTS))
    found = [name for name in known if f'comment "{name}"' in listed]
    if "state DOWN" in run("ip", "-n", ROUTER_NETNS, "link", "show", INTERNET):
        found.append("uplink")
    return found


def _cut(name: str, *rules: str) -> None:
    _require_network()
    if name in current():
        return
    script = [
        f"add table {TABLE}",
        f"add chain {TABLE} forward {{ type filter hook forward priority 0; }}",
        *(f'add rule {TABLE} forward {rule} comment "{name}"' for rule in rules),
    ]
    run(*inside(CONTROLLER_NETNS), "nft", "-f", "-", stdin="\n".join(script) + "\n")


def _require_network() -> None:
    if not is_up():
        raise RehearsalError("the network is down; `tests/rehearsal/ctl up` makes it")

"""The network: two bridges and a home router, in network namespaces of their own.

No bridge touches an interface of this machine and nothing forwards to one, so no packet of a
rehearsal can leave it. The controller's namespace holds both bridges with a leg (.250) on each:
what runs there (ssh, Ansible, load generators) reaches every host, as no guest can.
"""

from pathlib import Path

from tests.rehearsal.layout import (
    CONTROLLER_ADDRESSES,
    CONTROLLER_NETNS,
    HOME,
    INTERNET,
    ROUTER_ADDRESSES,
    ROUTER_NETNS,
)
from tests.rehearsal.shell import run

# Lets nothing in from the internet, as a home router does.
ROUTER_RULES = f"""
table ip home_router {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "{HOME}" oifname "{INTERNET}" accept
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{INTERNET}" ct state new drop
  }}
  chain nat {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{INTERNET}" masquerade
  }}
}}
"""


def is_up() -> bool:
    """Whether the whole network stands; a half-made one counts as none."""
    return Path("/run/netns", ROUTER_NETNS).exists() and _marker().exists()


def inside(netns: str) -> list[str]:
    """The words to put before a command that is to run in ``netns``."""
    return ["nsenter", f"--net=/run/netns/{netns}", "--"]


def up() -> None:
    """Make namespaces, bridges and router; nothing to do if they stand."""
    if is_up():
        return
    down()
    for netns in (CONTROLLER_NETNS, ROUTER_NETNS):
        run("ip", "netns", "add", netns)
        run("ip", "-n", netns, "link", "set", "lo", "up")
        # The rehearsal speaks IPv4 only.
        run(*inside(netns), "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    for bridge, address in CONTROLLER_ADDRESSES.items():
        _add_bridge(bridge, address)
    run(*inside(ROUTER_NETNS), "sysctl", "-qw", "net.ipv4.ip_forward=1")
    run(*inside(ROUTER_NETNS), "nft", "-f", "-", stdin=ROUTER_RULES)
    _marker().touch()


def down() -> None:
    """Remove the namespaces, and with them all that is in them."""
    _marker().unlink(missing_ok=True)
    for netns in (CONTROLLER_NETNS, ROUTER_NETNS):
        if Path("/run/netns", netns).exists():
            run("ip", "netns", "delete", netns)


def _marker() -> Path:
    """Exists as long as the network is complete; on /run, so a reboot takes it away."""
    return Path("/run", f"{CONTROLLER_NETNS}.complete")


def _add_bridge(bridge: str, address: str) -> None:
    """A bridge in the controller's namespace, and the router's leg on it."""
    in_controller = ("ip", "-n", CONTROLLER_NETNS)
    in_router = ("ip", "-n", ROUTER_NETNS)
    port = f"rt-{bridge}"
    # Without a delay before it forwards, a host's port works at once.
    run(*in_controller, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
    run(*in_controller, "address", "add", address, "dev", bridge)
    run(*in_controller, "link", "set", bridge, "up")
    run(
        *in_controller, *f"link add {port} type veth peer name {bridge} netns".split(), ROUTER_NETNS
    )
    run(*in_controller, "link", "set", port, "master", bridge, "up")
    run(*in_router, "address", "add", ROUTER_ADDRESSES[bridge], "dev", bridge)
    run(*in_router, "link", "set", bridge, "up")

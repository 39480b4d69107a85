"""What a host's disk holds before any role has seen it.

Static files lie in ``guests/<name>/root`` and ``standins/``; what depends on addresses and keys
is rendered here.
"""

import shutil
from pathlib import Path

from tests.rehearsal.layout import HERE, HOST_KEY, HOSTS, SSH_KEY, WORLD_NAMES, Host

# A stand-in's file -> its place in the hosts that have it.
STANDINS = {
    "mac": {
        "launchd": "/usr/lib/rehearsal/launchd",
        "brew": "/opt/homebrew/bin/brew",
        "pmset": "/usr/bin/pmset",
        "plutil": "/usr/bin/plutil",
        "sw_vers": "/usr/bin/sw_vers",
        "fdesetup": "/usr/bin/fdesetup",
        "tunnel": "/usr/lib/rehearsal/tunnel",
        "cloudflared": "/usr/lib/rehearsal/cloudflared",
    },
    "world": {"tunnel": "/usr/lib/rehearsal/tunnel"},
}


def static(host: Host) -> list[Path]:
    """The seed directories that hold files as they are."""
    return [HERE / "guests" / "common", HERE / "guests" / host.name]


def render(host: Host, scratch: Path) -> Path:
    """A seed directory in ``scratch`` with the host's own files."""
    files = {
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": _names(),
        "etc/systemd/network/10-host0.network": _network(host),
        "root/.ssh/authorized_keys": SSH_KEY.with_suffix(".pub").read_text(),
    }
    root = scratch / "root"
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for key in (HOST_KEY, HOST_KEY.with_suffix(".pub")):
        _place(key, root / "etc/ssh" / key.name)
    for name, path in STANDINS.get(host.name, {}).items():
        source = HERE / "standins" / name
        _place(source, root / path.lstrip("/"))
    return scratch


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        return
    shutil.copy(source, target)


def _names() -> str:
    lines = ["127.0.0.1 localhost"]
    lines += [f"{host.address} {host.name}" for host in HOSTS.values()]
    lines.append(f"{HOSTS['world'].address} {' '.join(WORLD_NAMES)}")
    return "\n".join(lines) + "\n"


def _network(host: Host) -> str:
    gateway = f"Gateway={host.gateway}\n" if host.gateway else ""
    return (
        "[Match]\nName=host0\n\n"
        f"[Network]\nAddress={host.address}/24\n{gateway}"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )

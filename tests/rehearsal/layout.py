"""Names, addresses and places of the rehearsal: the one page that the rest reads.

Two environment variables move everything: ``PORTIERE_CACHE`` (where caches and disks lie) and
``PORTIERE_REHEARSAL`` (the name of this set of hosts; a second name is a second, separate set).
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

SUITE = "trixie"
HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CACHE = Path(os.environ.get("PORTIERE_CACHE", "/var/cache/portiere"))
NAME = os.environ.get("PORTIERE_REHEARSAL", "portiere")

CONTROLLER_NETNS = f"{NAME}-ctl"
ROUTER_NETNS = f"{NAME}-router"

SSH_KEY = CACHE / "ssh" / "id_ed25519"
KNOWN_HOSTS = CACHE / "ssh" / "known_hosts"
HOST_KEY = CACHE / "ssh" / "ssh_host_ed25519_key"
SSH_CONFIG = CACHE / "ssh" / f"config-{NAME}"

HOME = "home"
INTERNET = "internet"
CONTROLLER_ADDRESSES = {HOME: "192.168.50.250/24", INTERNET: "203.0.113.250/24"}
ROUTER_ADDRESSES = {HOME: "192.168.50.1/24", INTERNET: "203.0.113.2/24"}
ROUTER_OUTSIDE = "203.0.113.2"
EDGE_PORT = 7844

# Where the local apt repository and the container images appear inside a guest.
GUEST_REPOSITORY = "/srv/apt"
GUEST_IMAGES = "/srv/images"


@dataclass(frozen=True)
class Host:
    """One machine of the rehearsal; ``address`` is as its bridge sees it."""

    name: str
    bridge: str
    address: str
    user: str
    gateway: str | None = None
    tun: bool = False
    docker: bool = False

    @property
    def directory(self) -> Path:
        """Holds the host's disk (an overlay), its lock and its console."""
        return CACHE / "hosts" / NAME / self.name

    @property
    def internet_address(self) -> str:
        """The address that others on the internet see its packets come from."""
        return ROUTER_OUTSIDE if self.bridge == HOME else self.address


HOSTS = {
    host.name: host
    for host in (
        Host("mac", HOME, "192.168.50.10", user="host", gateway="192.168.50.1", tun=True),
        Host("vps", INTERNET, "203.0.113.20", user="root", tun=True, docker=True),
        Host("world", INTERNET, "203.0.113.10", user="root"),
    )
}

# Names that the world answers to, beside the hosts' own.
WORLD_NAMES = (
    "region1.v2.argotunnel.com",
    "region2.v2.argotunnel.com",
    "bot.example.invalid",
    "vps.example.invalid",
    "spoki.example.invalid",
    "mail.example.invalid",
    "smoobu.example.invalid",
    "aeroapi.example.invalid",
    "openweather.example.invalid",
)


def packages(list_name: str) -> list[str]:
    """One list of ``packages.yml``."""
    lists: dict[str, list[str]] = yaml.safe_load((HERE / "packages.yml").read_text())
    return lists[list_name]


def digest(*parts: str | Path) -> str:
    """A short key for what is made of ``parts``: texts, files, and whole directories."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode() + b"\0")
            continue
        files = sorted(p for p in part.rglob("*") if p.is_file()) if part.is_dir() else [part]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            total.update(f"{file.relative_to(part)}:{file.stat().st_mode:o}".encode() + b"\0")
            total.update(file.read_bytes())
    return total.hexdigest()[:12]


def forget_unused(keep: Path, link: str) -> None:
    """Remove ``keep``'s older siblings, except those that a host's ``link`` points to."""
    used = {target.resolve() for target in CACHE.glob(f"hosts/*/*/{link}")}
    for old in keep.parent.iterdir():
        if old != keep and old.resolve() not in used:
            shutil.rmtree(old)

"""What ``status`` prints."""

import re
from pathlib import Path

from tests.rehearsal import faults, hosts, network
from tests.rehearsal.layout import HOSTS, NAME, SSH_CONFIG, Host
from tests.rehearsal.shell import RehearsalError


def text() -> str:
    """Hosts with address, state and memory; cuts; how to get in."""
    lines = [f"rehearsal “{NAME}”"]
    lines += [_line(host) for host in HOSTS.values()]
    if not network.is_up():
        lines.append("network: down")
        return "\n".join(lines)
    lines.append(f"cut: {', '.join(faults.current()) or 'nothing'}")
    lines.append(f"ssh -F {SSH_CONFIG} HOST, or tests/rehearsal/ctl sh HOST")
    return "\n".join(lines)


def _line(host: Host) -> str:
    name = f"{host.name:6} {host.address:14}"
    if not hosts.is_on(host):
        return f"{name} off"
    try:
        namespace = Path(f"/proc/{hosts.leader(host)}/ns/pid").readlink()
    except (OSError, RehearsalError):
        return f"{name} going off or on"
    shares = _shares(namespace)
    biggest = ", ".join(f"{who} {size:.0f}" for who, size in shares[:5])
    return f"{name} on   {sum(size for _, size in shares):5.0f} MiB ({biggest})"


def _shares(namespace: Path) -> list[tuple[str, float]]:
    """(program, MiB of memory) of every process under a host's pid namespace, biggest first.

    Proportional set sizes: shared pages are counted once over all who share them.
    """
    totals: dict[str, float] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if not _belongs(process, namespace):
                continue
            kibibytes = re.search(
                r"^Pss:\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE
            )
            program = (process / "comm").read_text().strip()
        except OSError:
            continue  # it ended in the meantime
        totals[program] = totals.get(program, 0) + int(kibibytes[1] if kibibytes else 0) / 1024
    return sorted(totals.items(), key=lambda item: -item[1])


def _belongs(process: Path, namespace: Path) -> bool:
    """Whether ``process`` is in the host, itself or in a container within it."""
    while process.name != "0":
        if (process / "ns/pid").readlink() == namespace:
            return True
        status = (process / "status").read_text()
        parent = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
        process = process.with_name(parent[1] if parent else "0")
    return False

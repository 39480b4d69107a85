"""A host's life: disk, boot, power cut, orderly stop.

A host is a systemd-nspawn container that boots: own network, process and mount namespaces, a
cgroup 2 tree, and an overlay over the shared root as its disk. ``supervise`` holds a lock for as
long as it is on.
"""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.rehearsal import images, keys, network, seeds, system
from tests.rehearsal.layout import (
    CONTROLLER_NETNS,
    GUEST_IMAGES,
    GUEST_REPOSITORY,
    HERE,
    NAME,
    Host,
)
from tests.rehearsal.shell import RehearsalError, run, step

# Takes 1 to 4. But to have booted, for systemd, is to have done what was due at boot, and a backup
# that was missed while the host was off is.
BOOT_SECONDS = 180.0
STOP_SECONDS = 20.0  # containers that ignore SIGTERM take 10
# SIGRTMIN+4 asks systemd to power off.
POWER_OFF = signal.SIGRTMIN + 4


def is_on(host: Host) -> bool:
    """Whether the host's supervisor holds its lock."""
    lock = host.directory / "lock"
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def leader(host: Host) -> int:
    """The process that is pid 1 inside the host.

    Raises:
        RehearsalError: The host is off, or just between off and on.
    """
    try:
        nspawn = int((host.directory / "nspawn.pid").read_text())
        children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
    except (OSError, ValueError):
        children = []
    if not is_on(host) or not children:
        raise RehearsalError(
            f"{host.name} is off; `tests/rehearsal/ctl power on {host.name}` boots it"
        )
    return int(children[0])


def enter(host: Host) -> list[str]:
    """The words to put before a command that is to run as root inside the host."""
    return ["nsenter", "--target", str(leader(host)), "--all", "--"]


def up(wanted: Iterable[Host]) -> None:
    """Boot all of ``wanted`` that are off, together, and wait until ssh can reach them."""
    off = [host for host in wanted if not is_on(host)]
    if not off:
        return
    base = system.ensure()
    for host in off:
        _ensure_disk(host, base)
    with step(f"booting {', '.join(host.name for host in off)}"):
        boots = [_start(host) for host in off]
        for boot in boots:
            boot.wait()


def power_off(host: Host) -> None:
    """Cut the power: SIGKILL to the host's leader. Its disk stays as the kernel has it.

    What it can't show: an fsync that was lost, as this machine's page cache lives on.
    """
    if not is_on(host):
        return
    try:
        _signal(host, signal.SIGKILL, STOP_SECONDS)
    except TimeoutError as error:
        raise RehearsalError(
            f"{host.name} does not end {STOP_SECONDS:.0f} s after SIGKILL; its supervisor is the "
            f"process whose child is in {host.directory / 'nspawn.pid'}"
        ) from error


def stop(host: Host) -> None:
    """Shut the host down in order, and cut its power if that takes too long."""
    if not is_on(host):
        return
    try:
        _signal(host, POWER_OFF, STOP_SECONDS)
    except TimeoutError:
        power_off(host)


def wipe(host: Host) -> None:
    """Throw the host's disk away; the next boot is a new machine."""
    power_off(host)
    shutil.rmtree(host.directory, ignore_errors=True)


@dataclass
class _Boot:
    """A host on its way up; ``notices`` is the socket on which nspawn reports."""

    host: Host
    supervisor: subprocess.Popen[bytes]
    notices: socket.socket
    scratch: tempfile.TemporaryDirectory[str]

    def wait(self) -> None:
        """Return when the guest's systemd has reached its target and its network is set.

        Raises:
            RehearsalError: It ended or took too long; the text holds its console's last lines.
        """
        with self.scratch, self.notices:
            self._await_ready()
        run(
            *enter(self.host),
            "/usr/lib/systemd/systemd-networkd-wait-online",
            "--interface=host0",
            f"--timeout={BOOT_SECONDS:.0f}",
        )

    def _await_ready(self) -> None:
        ended = os.pidfd_open(self.supervisor.pid)
        awaited: list[socket.socket | int] = [self.notices, ended]
        deadline = time.monotonic() + BOOT_SECONDS
        try:
            while (left := deadline - time.monotonic()) > 0:
                readable, _, _ = select.select(awaited, [], [], left)
                if self.notices in readable:
                    if b"READY=1" in self.notices.recv(4096).splitlines():
                        return
                elif ended in readable:
                    raise RehearsalError(f"{self.host.name} did not boot:\n{self._console()}")
        finally:
            os.close(ended)
        power_off(self.host)
        raise RehearsalError(
            f"{self.host.name}: no boot within {BOOT_SECONDS:.0f} s:\n{self._console()}"
        )

    def _console(self) -> str:
        text = (self.host.directory / "console.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])


def _ensure_disk(host: Host, base: Path) -> None:
    """Make the host's disk on the current system unless it has one."""
    link = host.directory / "system"
    if link.is_symlink():
        return
    shutil.rmtree(host.directory, ignore_errors=True)
    host.directory.mkdir(parents=True)
    if host.docker:
        images.ensure()
    with step(f"a new disk for {host.name}"), tempfile.TemporaryDirectory() as scratch:
        keys.ensure()
        own = seeds.render(host, Path(scratch))
        run(
            "unshare",
            "--mount",
            "--propagation=private",
            HERE / "make-disk",
            host.directory,
            base / "root",
            own,
            *seeds.static(host),
        )
        if host.docker:
            _make_docker_disk(host)
            (host.directory / "images").symlink_to(images.directory())
        link.symlink_to(base)


def _make_docker_disk(host: Host) -> None:
    """A sparse ext4 for the container engine, whose own overlays can't lie on an overlay."""
    (host.directory / "docker").mkdir()
    image = host.directory / "docker.img"
    with image.open("wb") as file:
        file.truncate(12 << 30)  # 12 GiB, as far as it is written to
    run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", image)


def _start(host: Host) -> _Boot:
    scratch = tempfile.TemporaryDirectory(prefix="portiere-boot-")
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = str(Path(scratch.name, "notify"))
    notices.bind(path)
    environment = {
        "PATH": os.environ["PATH"],
        "NOTIFY_SOCKET": path,
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        # nspawn's filter forbids what a container engine inside needs.
        "SYSTEMD_SECCOMP": "0" if host.docker else "1",
    }
    base = (host.directory / "system").resolve()
    with (host.directory / "console.log").open("ab") as console:
        supervisor = subprocess.Popen(
            [
                *network.inside(CONTROLLER_NETNS),
                *("unshare", "--mount", "--propagation=private"),
                HERE / "supervise",
                host.directory,
                base / "root",
                f"{NAME}-{host.name}",
                *_nspawn_arguments(host, base),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env=environment,
            start_new_session=True,
        )
    return _Boot(host, supervisor, notices, scratch)


def _nspawn_arguments(host: Host, base: Path) -> list[str]:
    arguments = [
        "--quiet",
        "--boot",
        "--notify-ready=yes",
        f"--machine={NAME}-{host.name}",
        f"--hostname={host.name}",
        f"--uuid={uuid.uuid5(uuid.NAMESPACE_DNS, host.name)}",
        "--register=no",
        "--keep-unit",
        f"--network-bridge={host.bridge}",
        "--private-users=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=pipe",
        "--link-journal=no",
        f"--bind-ro={base / 'apt'}:{GUEST_REPOSITORY}",
    ]
    if host.tun:
        arguments.append("--bind=/dev/net/tun")
    if host.docker:
        disk = host.directory / "docker"
        arguments += [
            "--capability=all",
            f"--bind={disk / 'docker'}:/var/lib/docker",
            f"--bind={disk / 'containerd'}:/var/lib/containerd",
            "--bind=/dev/fuse",
            f"--bind-ro={(host.directory / 'images').resolve()}:{GUEST_IMAGES}",
        ]
    return arguments


def _signal(host: Host, number: int, seconds: float) -> None:
    """Signal the host's leader and wait for its supervisor to end.

    Raises:
        TimeoutError: It has not ended within ``seconds``.
    """
    lock = host.directory / "lock"
    # Where it goes off by itself in this moment, the wait below sees to that.
    with contextlib.suppress(RehearsalError, ProcessLookupError):
        os.kill(leader(host), number)
    if subprocess.run(
        ["flock", "--timeout", str(seconds), lock, "true"], capture_output=True, check=False
    ).returncode:
        raise TimeoutError(host.name)

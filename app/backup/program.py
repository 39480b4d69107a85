"""restic, the program that makes the encrypted repositories: how it is called, what stops it.

Restic 0.14 (Debian 12) and later. The repositories' keys go to it by descriptors, which nobody else
can read: everyone can read command lines, and its environment is that of the programs it starts.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from app.backup.errors import BackupError, LockedError, UnreachableError, error_of

# Homebrew's directories too: launchd's PATH doesn't have them.
_PATH: Final = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/opt/homebrew/bin", "/usr/local/bin")
)
# To end in order it has to delete its lock, which may be on the other machine.
_TO_END: Final = timedelta(seconds=15)
_TO_ANSWER: Final = timedelta(seconds=10)
_LOOK_AGAIN: Final = timedelta(seconds=3)
# What it couldn't do and yet exits with 0 after.
_LEFT_UNDONE: Final = ("unable to remove", "unable to modify the tags")


@dataclass(frozen=True)
class Repository:
    """Where snapshots are, and what opens it.

    ``address`` as in PORTIERE_BACKUP_REPOSITORIES. ``directory`` is this machine's for backups; the
    cache is in it. ``patience``: how long to wait for another's lock.
    """

    address: str
    key: SecretStr
    directory: Path
    ssh: str = ""
    s3_key_id: SecretStr = field(default=SecretStr(""))
    s3_secret: SecretStr = field(default=SecretStr(""))
    s3_region: str = ""
    patience: timedelta = timedelta(minutes=10)


def run(
    repository: Repository,
    arguments: Sequence[str],
    *,
    within: timedelta,
    cwd: Path | None = None,
    source: Repository | None = None,
) -> str:
    """Restic's standard output. ``source``: the other repository, where there are two.

    Waits up to ``patience`` where another has the repository locked, and removes locks of whoever
    is dead. Raises :class:`BackupError`.
    """
    waits = Retrying(
        retry=retry_if_exception_type(LockedError),
        stop=stop_after_delay(repository.patience),
        wait=wait_fixed(_LOOK_AGAIN),
        before_sleep=lambda _: unlock(repository),
        reraise=True,
    )
    return waits(_once, repository, arguments, within, cwd, source)


def unlock(repository: Repository) -> None:
    """Remove stale locks: of a process of this machine that is dead, or half an hour old."""
    _once(repository, ["unlock"], timedelta(minutes=5), None, None)


def _once(
    repository: Repository,
    arguments: Sequence[str],
    within: timedelta,
    cwd: Path | None,
    source: Repository | None,
) -> str:
    program = shutil.which("restic", path=_PATH)
    if program is None:
        raise BackupError("restic isn't installed: install the package restic")
    for one in (repository, source):
        if one is not None and one.address.startswith("s3:"):
            _see_that_it_answers(one.address)
    command = [program, "--json", "-r", repository.address, *_options(repository, source)]
    with _readable(repository.key) as key, _readable((source or repository).key) as source_key:
        process = subprocess.Popen(  # noqa: S603 - ours
            [*command, *arguments],
            cwd=cwd,
            env={
                **_environment(repository, source),
                "RESTIC_PASSWORD_FILE": f"/dev/fd/{key}",
                **({"RESTIC_FROM_PASSWORD_FILE": f"/dev/fd/{source_key}"} if source else {}),
            },
            pass_fds=(key, source_key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    try:
        out, err = process.communicate(timeout=within.total_seconds())
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(
            f"restic {arguments[0]} at {repository.address} took longer than {within}: look at the "
            "connection, and for a lock that nobody removes"
        ) from error
    finally:
        _end(process)
    if process.returncode != 0 or any(word in err for word in _LEFT_UNDONE):
        raise error_of(repository.address, process.returncode, err)
    return out


@contextmanager
def _readable(key: SecretStr) -> Iterator[int]:
    """A descriptor that a program which is started meanwhile can read the key from, once."""
    reader, writer = os.pipe()  # which holds far more than a key without being read
    try:
        os.write(writer, key.get_secret_value().encode())
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _see_that_it_answers(address: str) -> None:
    """Restic itself would try for a quarter of an hour. Raises :class:`UnreachableError`."""
    where = address.removeprefix("s3:")
    url = urlsplit(where if "://" in where else f"https://{where}")
    port = url.port or (80 if url.scheme == "http" else 443)
    try:
        socket.create_connection((url.hostname or "", port), _TO_ANSWER.total_seconds()).close()
    except OSError as error:
        raise UnreachableError(
            f"{address}: {error} - look whether its server is up, and this machine online"
        ) from error


def _end(process: "subprocess.Popen[str]") -> None:
    """End it in order, so that it leaves no lock; at once if it doesn't."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_TO_END.total_seconds())
        return
    process.kill()
    process.communicate()


def _options(*repositories: Repository | None) -> Iterator[str]:
    if all(one is None or one.address.startswith("/") for one in repositories):
        # A copy on this disk of what is on this disk.
        yield "--no-cache"
    for one in repositories:
        if one is not None and one.address.startswith("rclone:"):
            yield from ("-o", f"rclone.program={one.ssh}")
        if one is not None and one.s3_region:
            yield from ("-o", f"s3.region={one.s3_region}")


def _environment(repository: Repository, source: Repository | None) -> Mapping[str, str]:
    """Nothing of ours but what it needs. Times are told it, and by it, in UTC."""
    scratch = repository.directory / "restic"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {
        "PATH": _PATH,
        "HOME": "/",
        "LC_ALL": "C",
        "TZ": "UTC",
        "TMPDIR": str(scratch),
        "RESTIC_CACHE_DIR": str(scratch / "cache"),
    }
    for one in (repository, source):
        if one is not None and one.address.startswith("s3:"):
            told["AWS_ACCESS_KEY_ID"] = one.s3_key_id.get_secret_value()
            told["AWS_SECRET_ACCESS_KEY"] = one.s3_secret.get_secret_value()
    return told

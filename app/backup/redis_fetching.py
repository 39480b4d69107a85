"""Redis's contents as a file: a snapshot that Redis makes and sends, as it would to a copy of it.

By ``redis-cli --rdb``: it asks for a ``BGSAVE`` of its own, gets what that writes while it is being
written, and fails if that does. So neither its directory nor its disk is needed.
"""

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from redis.connection import parse_url

from app.settings import Settings

# Redis waits 5 s for others that want one as well; the rest is the line's.
LONGEST: Final = timedelta(minutes=10)
# Homebrew's directories too: launchd's PATH doesn't have them.
_PATH: Final = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/opt/homebrew/bin", "/usr/local/bin")
)
# The user by which the two machines' Redis copy each other.
_COPIER: Final = "replica"


class RedisFetchError(Exception):
    """There is no whole file of what Redis has; the message says what to do."""


def fetch_rdb(settings: Settings, to: Path, longest: timedelta = LONGEST) -> None:
    """Write all that the desk's Redis has now to ``to``, an RDB file, and check it whole.

    Raises :class:`RedisFetchError`; ``to`` is there whole or not at all.
    """
    try:
        _fetch(settings, to, longest)
        check_rdb(to)
    except RedisFetchError:
        to.unlink(missing_ok=True)
        raise
    to.chmod(0o600)


def check_rdb(path: Path) -> None:
    """Read it to its end, its checksum included. Raises :class:`RedisFetchError`."""
    done = _run([_program("redis-check-rdb"), str(path)], {}, LONGEST)
    if done.returncode != 0:
        words = _last_line(done.stdout or done.stderr)
        raise RedisFetchError(
            f"what Redis sent is not whole ({words}). It is tried again; if that lasts, the "
            "redis-check-rdb here is older than the Redis that it reads from"
        )


def _fetch(settings: Settings, to: Path, longest: timedelta) -> None:
    where, user, password = _place(settings)
    # Not on the command line, which anybody on the machine may read.
    secret = {"REDISCLI_AUTH": password} if password else {}
    named = ["--user", user] if user else []
    done = _run([_program("redis-cli"), *where, *named, "--rdb", str(to)], secret, longest)
    # It says "success" in so many words, also where it can't say so by its code.
    if done.returncode != 0 or not to.exists():
        words = _last_line(done.stderr or done.stdout)
        raise RedisFetchError(f"Redis sent no snapshot: {words}. {_remedy(words)}")


def _place(settings: Settings) -> tuple[list[str], str, str]:
    """Where Redis is, as redis-cli is told; who asks, and with which password."""
    address = settings.redis_url.get_secret_value()
    url: dict[str, Any] = parse_url(address)  # type: ignore[no-untyped-call]  # it has no types
    if path := url.get("path"):
        where = ["-s", str(path)]
    else:
        where = ["-h", str(url.get("host", "127.0.0.1")), "-p", str(url.get("port", 6379))]
    if copier := settings.ha_redis_password.get_secret_value():
        return where, _COPIER, copier
    return where, str(url.get("username") or ""), str(url.get("password") or "")


def _run(
    command: list[str], secret: dict[str, str], longest: timedelta
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - ours
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env={"PATH": _PATH, "HOME": "/", **secret},
            stdin=subprocess.DEVNULL,
            timeout=longest.total_seconds(),
        )
    except subprocess.TimeoutExpired as error:
        raise RedisFetchError(
            f"Redis took longer than {longest} to send a snapshot. See that it and the line to it "
            "are well; it is tried again"
        ) from error


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise RedisFetchError(
            f"{name} isn't installed: it comes with Redis (Debian's redis-tools, Homebrew's redis)"
        )
    return found


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _remedy(words: str) -> str:
    return next(
        (remedy for sign, remedy in _REMEDIES.items() if sign in words.lower()),
        "Its log says why; it is tried again",
    )


_REMEDIES: Final = {
    "noperm": "Its user must be allowed +sync +psync +replconf: see users.acl",
    "wrongpass": "Is PORTIERE_HA_REDIS_PASSWORD (or that in PORTIERE_REDIS_URL) right?",
    "noauth": "Is PORTIERE_HA_REDIS_PASSWORD (or that in PORTIERE_REDIS_URL) right?",
    "could not connect": "See that Redis runs",
    "nomasterlink": "It is a copy that has lost its leader: it is tried again",
    "no space": "Make room on the disk",
}

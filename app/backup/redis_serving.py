"""A Redis of our own for a minute, with what an RDB file holds: to be asked, or copied from.

Its configuration goes in by stdin, so no password is on a command line or a disk; and it writes
nothing.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# 200 MB load in two seconds.
LONGEST: Final = timedelta(minutes=5)
USER: Final = "portiere-restore"
_LOOK: Final = 0.02
_STOP: Final = 10.0
# Another program may get the port between our look and Redis' start.
_TRIES: Final = 3
_MAGIC: Final = b"REDIS"
# Homebrew's, which launchd doesn't look through.
_PLACES: Final = ("/opt/homebrew/bin", "/usr/local/bin")


class RdbError(Exception):
    """The file can't be loaded into a Redis; the message says what to do."""


class DamagedRdbError(RdbError):
    """What is in the file is not what Redis wrote."""


@dataclass(frozen=True)
class Serving:
    """Where it answers, as whom, and how many keys it has in all its databases."""

    host: str
    port: int
    password: str
    client: "redis.Redis"

    def keys(self) -> int:
        """How many keys it has now."""
        return count_keys(self.client)

    def version(self) -> tuple[int, int]:
        """Its version's first two numbers: within one the format of an RDB stays."""
        return version_of(self.client)


@contextmanager
def serving(rdb: Path, host: str = "127.0.0.1") -> Iterator[Serving]:
    """A redis-server at ``host``, an address of this machine, that has loaded ``rdb``.

    Raises :class:`RdbError`.
    """
    _see_that_it_is_one(rdb)
    with tempfile.TemporaryDirectory(prefix="portiere-redis-") as directory:
        log = Path(directory) / "log"
        popen, found = _start(rdb, host, log)
        try:
            yield found
        finally:
            found.client.close()
            _stop(popen)


def version_of(client: "redis.Redis") -> tuple[int, int]:
    """The first two numbers of a Redis' version."""
    major, minor, *_ = str(client.info("server")["redis_version"]).split(".")
    return int(major), int(minor)


def count_keys(client: "redis.Redis") -> int:
    """How many keys a Redis has, in all its databases. Raises `redis.RedisError`."""
    return sum(int(one["keys"]) for one in client.info("keyspace").values())


def _see_that_it_is_one(rdb: Path) -> None:
    """Of a file that isn't there Redis makes an empty database, and says nothing."""
    try:
        with rdb.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise RdbError(f"{rdb} can't be read: {error}. Restore it again") from error
    if head != _MAGIC:
        raise DamagedRdbError(f"{rdb} is no snapshot of Redis. Take an older backup")


def _start(rdb: Path, host: str, log: Path) -> "tuple[subprocess.Popen[bytes], Serving]":
    for attempt in range(_TRIES):
        password = secrets.token_hex(32)
        port = _free_port(host)
        popen = _spawn(_config(rdb, host, port, password), log)
        client = redis.Redis(
            host=host,
            port=port,
            username=USER,
            password=password,
            socket_timeout=LONGEST.total_seconds(),
            retry=Retry(NoBackoff(), 0),
        )
        try:
            if _answers(popen, client, log):
                return popen, Serving(host, port, password, client)
        except BaseException:
            _stop(popen)
            raise
        words = _words(log)
        if "in use" not in words or attempt == _TRIES - 1:
            break
    if "Can't handle RDB format" in words:
        raise RdbError(
            f"{rdb} is of a newer Redis than the redis-server here ({words}): install that one"
        )
    if any(sign in words for sign in _NO_DAMAGE):
        raise RdbError(f"no redis-server could be started: {words}. Make room, then try again")
    raise DamagedRdbError(f"{rdb} is damaged ({words}). Take an older backup")


_NO_DAMAGE: Final = ("in use", "Out Of Memory", "No space", "denied", "FATAL CONFIG")


def _spawn(config: str, log: Path) -> "subprocess.Popen[bytes]":
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES))
    program = shutil.which("redis-server", path=places)
    if program is None:
        raise RdbError("redis-server isn't installed: Debian's redis-server, or Homebrew's redis")
    with log.open("wb") as out:
        popen = subprocess.Popen(  # noqa: S603 - ours
            [program, "-"],
            cwd=log.parent,
            env={"PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
    assert popen.stdin is not None
    with popen.stdin:
        popen.stdin.write(config.encode())
    return popen


def _config(rdb: Path, host: str, port: int, password: str) -> str:
    """It saves nothing, so it writes nothing beside the file."""
    hashed = hashlib.sha256(password.encode()).hexdigest()
    return "\n".join(
        (
            f"bind {host}",
            f"port {port}",
            "protected-mode no",
            "user default reset",
            f"user {USER} on #{hashed} ~* &* "
            "+@read +@connection +@keyspace +info +psync +replconf +ping",
            f"dir {_quoted(str(rdb.parent.absolute()))}",
            f"dbfilename {_quoted(rdb.name)}",
            'save ""',
            "appendonly no",
            # Looks into each value: a wrong length inside would bring it down later.
            "sanitize-dump-payload yes",
            "crash-log-enabled no",
            "loglevel warning",
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
            "",
        )
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _answers(popen: "subprocess.Popen[bytes]", client: "redis.Redis", log: Path) -> bool:
    """Wait until it has loaded the file; False if it ended. Polled: Redis tells nobody."""
    deadline = time.monotonic() + LONGEST.total_seconds()
    while popen.poll() is None:
        try:
            client.ping()
        except (redis.ConnectionError, redis.TimeoutError):  # also while it loads
            if time.monotonic() >= deadline:
                raise RdbError(f"Redis loads for longer than {LONGEST}: {_words(log)}") from None
            time.sleep(_LOOK)
        else:
            return True
    return False


def _words(log: Path) -> str:
    """The first that it said of something wrong, without the time before it."""
    lines = log.read_text(errors="replace").splitlines()
    wrong = (line for line in lines if _WRONG.search(line) and "WARNING" not in line)
    said = next(wrong, lines[-1] if lines else "it said nothing")
    return (said.partition(" # ")[2] or said).strip()


_WRONG: Final = re.compile(
    "wrong|can't|couldn't|error|failed|fatal|short read|in use|denied|out of memory", re.IGNORECASE
)


def _stop(popen: "subprocess.Popen[bytes]") -> None:
    popen.terminate()
    try:
        popen.wait(_STOP)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()

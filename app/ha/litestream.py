"""Litestream, which copies the database to the other machine while it is being written.

Here is where it copies to (:class:`Place`), and what it is told (:func:`config_for`). Each term has
a path of its own: a leader that doesn't know yet that it was replaced can't write into the history
of the one that leads.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from app.settings import Settings

# Of the settings that matter, the measured ones: 3 rows lost in the median when both the writer and
# Litestream are killed, for 3.5 % of a core.
INTERVAL: Final = "100ms"
# Each look of who follows lists all pieces of the last five minutes, by SFTP over the link: ten a
# second were most of what two small machines did. What is led with is restored afresh all the same.
FOLLOW_INTERVAL: Final = "500ms"
# Whoever fetches a term reads each piece that is in no larger one yet: under load ten a second. So
# they are put together after 10 s; Litestream's own are 30 s, 5 min and 1 h.
_LEVELS: Final = ("10s", "5m", "1h")
# Longer than a sync takes, shorter than the bound after which it is killed.
_LAST_SYNC: Final = "5s"
_PROBE: Final = 0.5
_GENTLY: Final = ("nice", "-n", "15")
# The environment of the programs: no setting of ours, and so no secret.
ENV: Final = {"PATH": os.defpath, "HOME": "/"}


class LitestreamError(Exception):
    """Litestream can't be run, or not like this; the message says what to do."""


@dataclass(frozen=True)
class Place:
    """Where the database is replicated to: a directory here, or on ``host`` by SFTP."""

    path: str
    host: str | None = None
    port: int = 22
    user: str = ""
    key: Path | None = None
    host_key: str = ""

    def of_term(self, term: int) -> str:
        """The path of one term."""
        return f"{self.path}/term-{term}"

    def answers(self) -> bool:
        """Whether it can be reached at all, within half a second."""
        if self.host is None:
            return os.access(Path(self.path).parent, os.W_OK)
        try:
            socket.create_connection((self.host, self.port), _PROBE).close()
        except OSError:
            return False
        return True


def place_of(settings: Settings) -> Place:
    """The place that ``ha_replica`` names. Raises :class:`LitestreamError`."""
    url = urlsplit(settings.ha_replica)
    path = unquote(url.path).rstrip("/")
    if not path:
        raise LitestreamError("PORTIERE_HA_REPLICA names no directory: file:///path or sftp://…")
    if url.scheme == "file" and not url.netloc:
        return Place(path)
    if url.scheme != "sftp" or not url.hostname or not url.username or url.password:
        raise LitestreamError(
            "PORTIERE_HA_REPLICA is file:///path or sftp://user@host:port/path, without a password"
        )
    if settings.ha_replica_key is None:
        raise LitestreamError("PORTIERE_HA_REPLICA by sftp needs PORTIERE_HA_REPLICA_KEY")
    if len(settings.ha_replica_host_key.split()) < 2:
        # Without it Litestream trusts whoever answers.
        raise LitestreamError(
            "PORTIERE_HA_REPLICA by sftp needs PORTIERE_HA_REPLICA_HOST_KEY: the line of the "
            "server's /etc/ssh/ssh_host_ed25519_key.pub"
        )
    return Place(
        path,
        url.hostname,
        url.port or 22,
        unquote(url.username),
        settings.ha_replica_key,
        settings.ha_replica_host_key,
    )


def config_for(place: Place, term: int, database: Path, control: Path | None = None) -> str:
    """What Litestream is to do, as its configuration; ``control`` is its socket."""
    told: dict[str, Any] = {
        "logging": {"level": "warn"},
        "shutdown-sync-timeout": _LAST_SYNC,
        "levels": [{"interval": interval} for interval in _LEVELS],
        "dbs": [
            {
                "path": str(database),
                "monitor-interval": INTERVAL,
                "replica": {**_replica(place, term), "sync-interval": INTERVAL},
            }
        ],
    }
    if control is not None:
        told["socket"] = {"enabled": True, "path": str(control), "permissions": 0o600}
    return yaml.safe_dump(told, sort_keys=False)


def write_config(to: Path, text: str) -> None:
    """Write it for nobody but this user."""
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = to.with_name(f"{to.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    new.replace(to)


def program() -> str:
    """Where Litestream is: in our own environment, or on the PATH. Raises LitestreamError."""
    found = shutil.which("litestream", path=str(Path(sys.executable).parent)) or shutil.which(
        "litestream"
    )
    if found is None:
        raise LitestreamError("litestream isn't installed: install Portiere's requirements again")
    return found


def run(
    arguments: Sequence[str], timeout: timedelta, *, gently: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end; ``gently``: behind all else that wants the processor.

    Raises LitestreamError if that takes longer than ``timeout``.
    """
    command = [*(_GENTLY if gently else ()), program(), *arguments]
    try:
        return subprocess.run(  # noqa: S603 - ours
            command,
            check=False,
            capture_output=True,
            text=True,
            env=ENV,
            stdin=subprocess.DEVNULL,
            timeout=timeout.total_seconds(),
        )
    except subprocess.TimeoutExpired as error:
        raise LitestreamError(f"litestream {arguments[0]} took longer than {timeout}") from error


def newest(config: Path, database: Path, timeout: timedelta) -> int | None:
    """The newest transaction at the place of ``config``; None: none, or it doesn't answer."""
    arguments = ["ltx", "-config", str(config), "-no-expand-env", "-level", "all", "-json"]
    try:
        done = run([*arguments, str(database)], timeout)
    except LitestreamError:
        return None
    if done.returncode != 0:
        return None
    found = [int(one["max_txid"], 16) for one in json.loads(done.stdout) or ()]
    return max(found, default=None)


def forget_terms(place: Place, keep: int) -> None:
    """Delete all but the newest ``keep`` terms of a place on this machine; of others, none.

    A replica takes about four times what the database does.
    """
    if place.host is not None:
        return
    paths = {found.name.removeprefix("term-"): found for found in Path(place.path).glob("term-*")}
    terms = sorted(int(number) for number in paths if number.isdigit())
    for term in terms[:-keep]:
        shutil.rmtree(paths[str(term)])


def _replica(place: Place, term: int) -> dict[str, str]:
    if place.host is None:
        return {"type": "file", "path": place.of_term(term)}
    host = f"[{place.host}]" if ":" in place.host else place.host
    return {
        "type": "sftp",
        "host": f"{host}:{place.port}",
        "user": place.user,
        "key-path": str(place.key),
        "host-key": place.host_key,
        "path": place.of_term(term),
    }

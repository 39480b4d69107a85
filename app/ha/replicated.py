"""What is kept of the terms that were replicated: found at the place itself.

A machine that lost its disk knows nothing of terms, and asks whoever may not be there any more
which was the last.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from app.backup.points import Span
from app.ha import litestream
from app.ha.litestream import LitestreamError, Place
from app.settings import Settings

# As many as are kept there: `app.ha.rejoining` forgets older ones.
_TERMS: Final = 3
_ASK: Final = timedelta(minutes=1)
_NAME: Final = re.compile(r"term-(\d+)")


class PlaceError(Exception):
    """It can't be told what the place has; the message says what to do."""


def spans(settings: Settings) -> list[Span]:
    """The newest terms of which the place has anything, the newest first.

    Raises :class:`PlaceError`.
    """
    try:
        place = litestream.place_of(settings)
        terms = sorted(_terms(place), reverse=True)[:_TERMS]
        found = [_span(settings, place, term) for term in terms]
    except (LitestreamError, OSError) as error:
        raise PlaceError(str(error)) from error
    return [span for span in found if span is not None]


def _terms(place: Place) -> list[int]:
    names = _listed(place) if place.host else [one.name for one in Path(place.path).glob("term-*")]
    return [int(found[1]) for name in names if (found := _NAME.fullmatch(name))]


def _span(settings: Settings, place: Place, term: int) -> Span | None:
    database = settings.database.absolute()
    with tempfile.TemporaryDirectory(prefix="portiere-") as directory:
        config = Path(directory) / "place.yml"
        litestream.write_config(config, litestream.config_for(place, term, database))
        told = ["ltx", "-config", str(config), "-no-expand-env", "-level", "all", "-json"]
        done = litestream.run([*told, str(database)], _ASK)
    if done.returncode != 0:
        raise PlaceError(f"the place of term {term} can't be read: {_last_line(done.stderr)}")
    times = [datetime.fromisoformat(one["timestamp"]) for one in json.loads(done.stdout) or ()]
    return Span(term, min(times), max(times)) if times else None


def _listed(place: Place) -> list[str]:
    """Names in a directory of an SFTP server, by OpenSSH's own client: Litestream lists none."""
    with _known_hosts(place) as known:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": known,
            "GlobalKnownHostsFile": "/dev/null",
        }
        told = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        who = ["-i", str(place.key), "-P", str(place.port), f"{place.user}@{place.host}"]
        done = subprocess.run(  # noqa: S603 - ours
            ["sftp", "-q", "-F", "/dev/null", *told, "-b", "-", *who],  # noqa: S607 - the system's
            check=False,
            capture_output=True,
            text=True,
            input=f'ls -1 "{place.path}"\n',
            timeout=_ASK.total_seconds(),
        )
    if done.returncode != 0:
        raise PlaceError(
            f"the place at {place.host} can't be read: {_last_line(done.stderr)}. Is that machine "
            "on, and the private link up?"
        )
    return [Path(line.strip()).name for line in done.stdout.splitlines()]


@contextmanager
def _known_hosts(place: Place) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="portiere-") as file:
        file.write(f"[{place.host}]:{place.port} {place.host_key}\n")
        file.write(f"{place.host} {place.host_key}\n")
        file.flush()
        yield file.name


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"

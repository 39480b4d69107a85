"""The pieces of which a term is made, brought here from the other machine.

By SFTP Litestream reads each page of a piece in three round trips, one after the other: at 25 ms
that is six minutes for 20 MB. So it is only asked what it needs, which takes ten; the pieces are
fetched here, many at a time, and it works on a directory.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncssh
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from app.ha import litestream
from app.ha.litestream import Place

# So many small pieces share a round trip; a large one has more under way by itself.
_AT_ONCE: Final = 16
# A line that says nothing for 15 s is cut; nobody waits longer for it to be there.
_CONNECT: Final = 5.0
_KEEPALIVE: Final = (5.0, 3)
# Pieces are merged into larger ones and forgotten: those that were to be fetched may be gone.
_PLANS: Final = 3
_ASK: Final = timedelta(seconds=60)
# 200 MB take 5 min at 5 Mbit/s.
_LONGEST: Final = timedelta(minutes=30)


class PiecesError(Exception):
    """They aren't here, and why, in the words of who said so."""


class GoneError(PiecesError):
    """One was forgotten at its place meanwhile: ask again which are needed."""


@dataclass(frozen=True, order=True)
class Piece:
    """A file of a term: what was written in the transactions up to ``last``. Level 9: all of it."""

    level: int
    name: str

    @property
    def last(self) -> int:
        """The newest transaction in it."""
        return int(self.name.removesuffix(".ltx").partition("-")[2], 16)

    @property
    def path(self) -> str:
        """Where it lies, below its term."""
        return f"ltx/{self.level}/{self.name}"


def of_transaction(number: int) -> Piece:
    """What Litestream writes first, a piece for each transaction of its own."""
    return Piece(0, f"{number:016x}-{number:016x}.ltx")


def needed(config: Path, database: Path, until: Sequence[str] = ()) -> list[Piece]:
    """Of which pieces Litestream would make the database, by its ``config``; ``until`` are its
    arguments. Raises :class:`PiecesError`, LitestreamError.
    """
    told = ["restore", "-config", str(config), "-no-expand-env", "-dry-run", "-json", *until]
    done = litestream.run([*told, "-o", f"{config}.none", str(database)], _ASK)
    if done.returncode != 0:
        raise PiecesError(done.stderr)
    return [Piece(one["level"], one["name"]) for one in json.loads(done.stdout)["files"]]


def fetch(place: Place, term: int, database: Path, until: Sequence[str], to: Path) -> Place:
    """Bring what a restore of ``term`` needs to the directory ``to``, which is then its place.

    Raises :class:`PiecesError`, LitestreamError, OSError where it can't be written.
    """
    config = to.with_name(f"{to.name}.yml")
    litestream.write_config(config, litestream.config_for(place, term, database))
    here = Place(str(to))
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(GoneError), stop=stop_after_attempt(_PLANS), reraise=True
        ):
            with attempt:
                shutil.rmtree(to, ignore_errors=True)
                pieces = needed(config, database, until)
                asyncio.run(_fetch(place, term, pieces, here))
    finally:
        config.unlink(missing_ok=True)
    return here


async def _fetch(place: Place, term: int, pieces: Iterable[Piece], here: Place) -> None:
    try:
        async with asyncio.timeout(_LONGEST.total_seconds()), connected(place) as sftp:
            await bring(sftp, place.of_term(term), pieces, Path(here.of_term(term)))
    except TimeoutError as error:
        raise PiecesError(f"i/o timeout: all of it takes longer than {_LONGEST}") from error


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[asyncssh.SFTPClient]:
    """A connection to the place, which is on another host. Raises :class:`PiecesError`, also for
    what becomes of it while it is used.
    """
    try:
        async with await _connect(place) as connection, connection.start_sftp_client() as sftp:
            yield sftp
    except asyncssh.SFTPNoSuchFile as error:
        raise GoneError(str(error)) from error
    except (asyncssh.Error, ConnectionError) as error:
        raise PiecesError(f"the connection ended: {error}") from error


async def _connect(place: Place) -> asyncssh.SSHClientConnection:
    try:
        return await asyncssh.connect(
            place.host or "",
            place.port,
            username=place.user,
            client_keys=[str(place.key)],
            known_hosts=([asyncssh.import_public_key(place.host_key)], [], []),
            # Nothing of the user's own: as with Litestream, the settings say it all.
            config=None,
            agent_path=None,
            connect_timeout=_CONNECT,
            login_timeout=_CONNECT,
            keepalive_interval=_KEEPALIVE[0],
            keepalive_count_max=_KEEPALIVE[1],
        )
    except asyncssh.PermissionDenied as error:
        raise PiecesError(f"unable to authenticate: {error}") from error
    except OSError as error:
        # asyncio's own words hide which error it was.
        raise PiecesError(os.strerror(error.errno) if error.errno else "i/o timeout") from error


async def bring(sftp: asyncssh.SFTPClient, there: str, pieces: Iterable[Piece], to: Path) -> None:
    """Bring the pieces that aren't here yet from ``there`` to ``to``, the small ones first: they
    are the soonest forgotten. The last to be here is a snapshot, without which Litestream begins
    nothing. Raises asyncssh.Error, OSError.
    """
    levels: dict[int, list[Piece]] = {}
    for piece in sorted(pieces):
        levels.setdefault(piece.level, []).append(piece)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(piece: Piece) -> None:
        async with limit:
            await bring_one(sftp, there, piece, to)

    for level in levels.values():
        await asyncio.gather(*map(one, level))


async def bring_one(sftp: asyncssh.SFTPClient, there: str, piece: Piece, to: Path) -> None:
    """Bring one, unless it is here: whole or not at all. Raises asyncssh.Error, OSError."""
    target = to / piece.path
    if target.exists():
        return
    new = to / "new" / piece.name
    for parent in (target.parent, new.parent):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    await sftp.get(f"{there}/{piece.path}", str(new))
    new.replace(target)

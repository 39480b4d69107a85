"""A restore on a machine that has no other: nothing runs meanwhile, and no node is asked."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from app.ha.asides import RESTORED, write_down
from app.ha.handed import Batch, Counts
from app.ha.handing_back import ACTOR, words
from app.ha.handing_over import HandOverError, Since, hand_over_to
from app.ha.restoring import RestoreError, put_back, put_in_place, set_aside
from app.ha.taking_in import Keeper, keeper_of, take_in
from app.messages import leading
from app.messages.doubt import cast_doubt
from app.messages.handed_over import highest_ids
from app.sealing import Seal
from app.settings import Settings
from app.store.database import DatabaseError, now_ms, open_copy, open_database, to_ms
from app.store.users import wait_until_unused

# Who was stopped just now may still be about to let go.
_UNUSED: Final = timedelta(seconds=3)


def is_in_use(settings: Settings) -> bool:
    """Whether a process has the database open."""
    return not wait_until_unused(settings.database, _UNUSED)


def replace_alone(settings: Settings, candidate: Path, at: datetime, *, replay: bool) -> str:
    """Put ``candidate``, whose data are from ``at``, in the place of the database, which is set
    aside, and take in what came since; says what that was.

    Raises :class:`RestoreError`; then all is as it was.
    """
    database = settings.database
    name = f"term-{_term(database)}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    folder = settings.ha_directory / "aside" / name
    folder.mkdir(mode=0o700, parents=True)
    write_down(folder / RESTORED, {"replay": replay}, durable=True)
    set_aside(database, settings.ha_directory, 0, folder)
    try:
        put_in_place(candidate, database)
    except RestoreError:
        put_back(folder / database.name, database)
        raise
    return _begin(settings, folder / database.name, at)


def _begin(settings: Settings, aside: Path, at: datetime) -> str:
    """What is open in the database may be done since; what was done is in what was set aside."""
    database = open_database(settings.database)
    try:
        with database.transaction() as connection:
            ids = highest_ids(connection)
            cast_doubt(connection, now_ms(), settings.send_echo_wait)
        if not aside.exists():
            return "there was none before"
        since = Since(_term(aside) + 1, beat_at=to_ms(at), ids=ids)
        seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
        keeper = keeper_of(settings, database, seal)
        return words(hand_over_to(lambda batch: _take(keeper, batch), aside, since))
    except HandOverError as error:
        return f"what came since was not taken in: {error}"
    finally:
        database.close_all()


def _take(keeper: Keeper, batch: Batch) -> Counts:
    """What is to be done about it stands in its rows: the worker's relay finds them."""
    return Counts(counts=dict(take_in(keeper, batch, ACTOR).counts))


def _term(database: Path) -> int:
    try:
        with closing(open_copy(database)) as connection:
            return leading.current(connection) or 0
    except DatabaseError:
        return 0

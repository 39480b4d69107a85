"""The newest of what was replicated, restored for the drill."""

from pathlib import Path

from app.backup.drilling import ReplicaError
from app.ha.litestream import LitestreamError, Place, place_of
from app.ha.machine import data_term
from app.ha.restoring import RestoreError, restore
from app.settings import Settings
from app.store.database import DatabaseError


def restore_newest(settings: Settings, to: Path) -> bool:
    """Restore the newest term to the file ``to``; False where nothing was ever replicated.

    Raises :class:`app.backup.drilling.ReplicaError`.
    """
    if not settings.is_replicated:
        return False
    try:
        term = _newest_term(settings, place_of(settings))
        if term is None:
            return False
        restore(settings, term, to)
    except (DatabaseError, LitestreamError, RestoreError) as error:
        raise ReplicaError(str(error)) from error
    return True


def _newest_term(settings: Settings, place: Place) -> int | None:
    """Of a place on this machine; of another's, that of the database here, if there is one."""
    if place.host is not None:
        return data_term(settings.database)
    names = (path.name.removeprefix("term-") for path in Path(place.path).glob("term-*"))
    return max((int(name) for name in names if name.isdigit()), default=None)

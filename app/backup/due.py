"""What this machine is to back up, and what of it is due by now."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from app.backup.kinds import PLANS, Kind
from app.backup.staging import has
from app.backup.state import Drill, State
from app.leading import leadership_of
from app.settings import Settings

# By the clock `portiere backup run` starts every five minutes, give or take how long it takes: so
# much before its time a snapshot is due, or it would be at every other start.
EARLY: Final = timedelta(minutes=2)
# When guests sleep, and nobody waits for the disk (UTC).
NIGHT: Final = time(2, 0)


def leads(settings: Settings) -> bool:
    """Whether this machine leads at this moment."""
    return leadership_of(settings).term() is not None


def ours(settings: Settings) -> tuple[Kind, ...]:
    """What this machine is to back up now, the most often first."""
    if not settings.repositories:
        return ()
    leading = leads(settings)
    kinds = [
        kind
        for kind, plan in PLANS.items()
        if has(settings, kind) and (leading or not plan.by_leader)
    ]
    return tuple(sorted(kinds, key=lambda kind: PLANS[kind].every))


def due(settings: Settings, state: State, now: datetime) -> Mapping[Kind, Sequence[str]]:
    """Of :func:`ours`, what has not been backed up for long enough, and in which repositories."""
    found = {
        kind: [one for one in settings.repositories if is_due(state, kind, one, now)]
        for kind in ours(settings)
    }
    return {kind: addresses for kind, addresses in found.items() if addresses}


def is_due(state: State, kind: Kind, address: str, now: datetime) -> bool:
    """Whether there is no snapshot that is young enough, or the last attempt failed; one from the
    future is none."""
    backup = state.of(kind, address)
    if backup.made is None or backup.failed is not None:
        return True
    return not -EARLY <= now - backup.made.at < PLANS[kind].every - EARLY


def is_due_nightly(last: Drill | None, now: datetime) -> bool:
    """Whether it has not been done since the last :data:`NIGHT`."""
    if last is None:
        return True
    night = datetime.combine(now.astimezone(UTC).date(), NIGHT, UTC)
    if night > now:
        night -= timedelta(days=1)
    return not night <= last.at <= now + EARLY

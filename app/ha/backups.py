"""How the backups of the two machines are: for the other one, for people, for alerts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from app.backup.due import ours
from app.backup.faults import Fault, Wrong, faults, last_drill
from app.backup.state import State, read_state
from app.conversation.alerting import Alert
from app.ha.alerts import BACKUP_ALERTS
from app.ha.troubles import Trouble
from app.ha.view import View
from app.ha.words import spell
from app.lease import Report
from app.settings import Settings

_SAYS: Final = {
    Wrong.FAILED: "a backup fails",
    Wrong.MISSING: "a backup is overdue",
    Wrong.DRILL_FAILED: "the drill found a backup that can't be restored",
    Wrong.DRILL_MISSING: "the drill is overdue",
    Wrong.DISK_LOW: "the disk is almost full",
}


def faults_here(settings: Settings, led_since: datetime | None = None) -> list[Fault]:
    """What is wrong with this machine's; ``led_since``: since when it leads, if it does."""
    state = read_state(settings.backup_directory)
    return faults(settings, state, datetime.now(UTC), led_since)


def drilled_at(settings: Settings) -> datetime | None:
    """When this machine last tried the backups."""
    last = last_drill(read_state(settings.backup_directory))
    return last.at if last else None


def alerts_of(found: Sequence[Fault], peer: Report | None) -> tuple[set[Alert], set[Alert]]:
    """What the desk is told of this machine, and of the other by its own word; a word that another
    release invented is left out."""
    known = {alert.value: alert for alert in BACKUP_ALERTS}
    there = peer.backup_faults if peer else ()
    return {known[one.wrong] for one in found}, {known[one] for one in there if one in known}


def troubles_of(settings: Settings, view: View) -> list[Trouble]:
    """The same for who looks, in full where it is this machine's."""
    led_since = view.began_at if view.leads else None
    here = [Trouble(one.what, one.remedy) for one in faults_here(settings, led_since)]
    return [*here, *_troubles_there(view)]


def line(settings: Settings, view: View) -> str | None:
    """How old this machine's backups are, and when they were last tried; None: there are none."""
    if not settings.repositories:
        return None
    state, now = read_state(settings.backup_directory), datetime.now(UTC)
    parts = [_age(settings, state, now), _drill(settings, state, view)]
    return "; ".join(part for part in parts if part)


def _troubles_there(view: View) -> Iterator[Trouble]:
    if not view.peer_is_up or view.peer_report is None:
        return
    for one in view.peer_report.backup_faults:
        if one in set(Wrong):
            yield Trouble(
                f"On {view.peer} {_SAYS[Wrong(one)]}.",
                f"`portiere backup check`, on {view.peer}, says which and what to do.",
            )


def _age(settings: Settings, state: State, now: datetime) -> str:
    """Of each kind, the older of the newest in the repositories."""
    ages = []
    for kind in ours(settings):
        made = [state.of(kind, address).made for address in settings.repositories]
        oldest = min((one.at for one in made if one), default=None)
        whole = oldest is not None and None not in made
        ages.append(f"{kind} {spell(now - oldest) if oldest and whole else 'NONE'}")
    return f"{', '.join(ages)} old" if ages else "nothing to back up here"


def _drill(settings: Settings, state: State, view: View) -> str:
    mine, there = last_drill(state), view.peer_report.drilled_at if view.peer_report else None
    if mine is not None:
        failed = any(one.failed for one in state.drills.values())
        return f"last drill {_at(mine.at)}, {'FAILED' if failed else 'good'}"
    if there is not None:
        return f"last drill {_at(there)} on {view.peer}"
    return "last drill: NONE YET" if settings.backup_keeps else ""


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%d %b %H:%M}"

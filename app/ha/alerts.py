"""What the desk is told about who leads, in its language; written by the leader's node.

A standby has no database to write an alert to: what it sees stands in its view and its log, and the
leader sees the same from the other side (docs/failover.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from app.conversation import alerting, wording
from app.conversation.alerting import Alert
from app.conversation.language import Language
from app.conversation.phrases import Phrases, bundled
from app.messages.alerts import Alerts
from app.store.database import Connection, to_ms

BACKUP_ALERTS: Final = (
    *(Alert.BACKUP_FAILED, Alert.BACKUP_MISSING),
    *(Alert.DRILL_FAILED, Alert.DRILL_MISSING, Alert.DISK_LOW),
)
# How long a trouble lasts before anybody is called: longer than what heals by itself.
PATIENCE: Final = {
    # A restart of the VPS, or of its cloud layer for a new release.
    Alert.AUTHORITY_UNREACHABLE: timedelta(minutes=3),
    # Each start of the follower is a restore; a line that was cut is caught up with in seconds.
    Alert.STANDBY_BEHIND: timedelta(minutes=3),
    # Nobody is answered meanwhile.
    Alert.HOLDING: timedelta(minutes=1),
    Alert.SPOOLED_TOO_LONG: timedelta(minutes=2),
    # They have lasted when they are found: see app.backup.faults.
    **dict.fromkeys(BACKUP_ALERTS, timedelta(minutes=1)),
    Alert.DISK_FAILS: timedelta(0),
}


@dataclass(frozen=True)
class Change:
    """That ``leader`` leads in ``term``, and ``other`` doesn't any more.

    ``how``: as `app.messages.leading.How`. ``unseen_since``: when ``other`` was last heard of,
    aware; ``made_at``: when the data are from that were restored. ``in_doubt``: sends that wait
    for their echo; ``alone``: events that ``other`` said it accepted alone, and that are not here.
    """

    leader: str
    other: str
    term: int
    how: str
    unseen_since: datetime | None = None
    made_at: datetime | None = None
    in_doubt: int = 0
    alone: int = 0


@dataclass(frozen=True)
class Trouble:
    """Something that lasts since ``since`` (aware) at the node ``who``; ``count`` of events."""

    alert: Alert
    who: str
    since: datetime
    count: int = 0


class Troubles:
    """What lasts, and since when; kept in memory: after a restart it is told once more."""

    def __init__(self) -> None:
        self._since: dict[tuple[Alert, str], datetime] = {}
        self._told: set[tuple[Alert, str]] = set()

    def due(self, found: Iterable[tuple[Alert, str, int]], now: datetime) -> list[Trouble]:
        """Of all that is so ``now`` (alert, node, count), what is to be told: each once, after its
        patience. What is not found any more is over, and begins anew if it comes back."""
        counts = {(alert, who): count for alert, who, count in found}
        self._since = {one: self._since.get(one, now) for one in counts}
        self._told &= self._since.keys()
        due = [
            one
            for one, since in self._since.items()
            if one not in self._told and now - since >= PATIENCE[one[0]]
        ]
        self._told.update(due)
        return [Trouble(*one, self._since[one], counts[one]) for one in due]


def tell_lead_changed(
    alerts: Alerts, connection: Connection, language: Language, zone: tzinfo, change: Change
) -> None:
    """Tell who leads, why, what was lost and what to do; once in a term, and not of the first.

    In the caller's transaction, which is the one that begins the term.
    """
    if change.how == "first":
        return
    phrases = bundled()[language]
    text = alerting.text(
        Alert.LEAD_CHANGED,
        language,
        leader=change.leader,
        term=str(change.term),
        why=_why(phrases, zone, change),
        lost=_lost(phrases, change),
        todo=_todo(phrases, change),
    )
    alerts.raise_alert(
        connection,
        key=f"{Alert.LEAD_CHANGED}:{change.term}",
        kind=Alert.LEAD_CHANGED,
        guest=None,
        text=text,
        urgent=change.how != "switchover",
    )


def tell_trouble(
    alerts: Alerts, connection: Connection, language: Language, zone: tzinfo, trouble: Trouble
) -> None:
    """Tell what :meth:`Troubles.due` gave, in the caller's transaction."""
    values = {"who": trouble.who, "since": _clock(trouble.since, zone, language)}
    if trouble.alert is Alert.SPOOLED_TOO_LONG:
        values["count"] = str(trouble.count)
    alerts.raise_alert(
        connection,
        key=f"{trouble.alert}:{trouble.who}:{to_ms(trouble.since)}",
        kind=trouble.alert,
        guest=None,
        text=alerting.text(trouble.alert, language, **values),
        urgent=trouble.alert in {Alert.HOLDING, Alert.DISK_FAILS},
    )


def _why(phrases: Phrases, zone: tzinfo, change: Change) -> str:
    if change.how == "restored":
        return _restored(phrases, zone, change.made_at)
    if change.how != "failover":
        return phrases.say(f"lead_{change.how}", other=change.other)
    if change.unseen_since is None:
        return phrases.say("lead_failover_unseen", other=change.other)
    since = _clock(change.unseen_since, zone, phrases.language)
    return phrases.say("lead_failover", other=change.other, since=since)


def _restored(phrases: Phrases, zone: tzinfo, made_at: datetime | None) -> str:
    if made_at is None:
        return phrases.say("lead_restored_unknown")
    day = wording.day(made_at.astimezone(zone).date(), phrases.language)
    return phrases.say("lead_restored", day=day, at=_clock(made_at, zone, phrases.language))


def _lost(phrases: Phrases, change: Change) -> str:
    if change.how == "restored":
        return phrases.say("lead_restored_lost")
    found = {"lead_in_doubt": change.in_doubt, "lead_alone": change.alone}
    said = [
        phrases.say(phrase, other=change.other, count=str(count))
        for phrase, count in found.items()
        if count
    ]
    return " ".join(said) or phrases.say("lead_nothing_lost")


def _todo(phrases: Phrases, change: Change) -> str:
    match change.how:
        case "failover":
            return phrases.say("lead_see_to", other=change.other)
        case "restored":
            return phrases.say("lead_see_bookings")
        case "forced":
            return phrases.say("lead_see_off", other=change.other)
        case _:
            return phrases.say("lead_nothing_to_do")


def _clock(moment: datetime, zone: tzinfo, language: Language) -> str:
    return wording.clock(moment.astimezone(zone).time(), language)

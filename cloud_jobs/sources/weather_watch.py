"""Which of the warnings are news.

Services word one warning in several languages, give it for several zones, and write it anew while
it lasts. So warnings of one kind that overlap are one, and it is news again only when it becomes
worse, or ends at quite another time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.mail.words import fold
from cloud_jobs.runtime.job import Payload
from cloud_jobs.sources.openweather import Alert
from cloud_jobs.sources.weather_words import OTHER, kind_of, level_of
from cloud_jobs.store.sources import WeatherWarning

WARNING: Final = "weather.warning"
# An end that moves by less changes nobody's plans.
ANOTHER_END: Final = timedelta(hours=3)
_LONGEST_EVENT: Final = 200


class Warned(Payload):
    """A warning, and the payload of ``weather.warning``. Times are aware.

    ``event`` is its kind, with the service's own words behind ``other:``, which tell two unknown
    ones apart and are shown to nobody.
    """

    key: str
    event: str
    level: int
    tags: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime

    @property
    def kind(self) -> str:
        """As in weather_words.yml."""
        return self.event.partition(":")[0]


def warned(alerts: Iterable[Alert], now: datetime) -> Sequence[Warned]:
    """The warnings that aren't over: of those of one kind at one time the worst, then the first."""
    found = [_read(alert) for alert in alerts if now < alert.ends_at > alert.starts_at]
    kept: list[Warned] = []
    for one in sorted(found, key=lambda one: (-one.level, one.starts_at, one.ends_at, one.event)):
        if not any(one.event == other.event and _overlap(one, other) for other in kept):
            kept.append(one)
    return kept


def news(session: Session, warnings: Iterable[Warned]) -> list[Warned]:
    """Those that guests don't know of as they stand, under the key that they were told by."""
    found = []
    for one in warnings:
        known = _known(session, one)
        if known is None:
            found.append(one)
        elif one.level > known.level or abs(one.ends_at - known.ends_at) >= ANOTHER_END:
            found.append(one.model_copy(update={"key": known.key}))
    return found


def remember(session: Session, told: Warned, now: datetime) -> None:
    """Keep what is told, in the transaction that decides it."""
    row = session.get(WeatherWarning, told.key)
    if row is None:
        row = WeatherWarning(key=told.key, event=told.event, first_seen=now)
        session.add(row)
    row.level, row.last_seen = told.level, now
    row.starts_at, row.ends_at = told.starts_at, told.ends_at


def find(session: Session, key: str) -> WeatherWarning | None:
    """A warning as guests were last told of it."""
    return session.get(WeatherWarning, key)


def _known(session: Session, one: Warned) -> WeatherWarning | None:
    return session.scalar(
        select(WeatherWarning)
        .where(
            WeatherWarning.event == one.event,
            WeatherWarning.starts_at <= one.ends_at,
            WeatherWarning.ends_at >= one.starts_at,
        )
        .order_by(WeatherWarning.last_seen.desc())
        .limit(1)
    )


def _read(alert: Alert) -> Warned:
    kind = kind_of(alert.event, alert.tags)
    event = f"{OTHER}:{fold(alert.event)}"[:_LONGEST_EVENT] if kind == OTHER else kind
    return Warned(
        key=sha256(f"{event}|{alert.start}".encode()).hexdigest(),
        event=event,
        level=level_of(alert.event),
        tags=alert.tags,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
    )


def _overlap(one: Warned, other: Warned) -> bool:
    return one.starts_at <= other.ends_at and other.starts_at <= one.ends_at

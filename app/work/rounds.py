"""What happens by the clock: notices, reminders, offers that run out, stays that are over."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from app.messages import audit, echoes, nonces
from app.sealing import SealError
from app.settings import Settings
from app.store.database import DatabaseError
from app.work.desk import Desk
from app.work.notices import announce_departures, close_past_days
from app.work.reminders import remind

log = structlog.get_logger()
# Nothing here is due to the second.
INTERVAL: Final = timedelta(minutes=1)


def _now() -> datetime:
    return datetime.now(UTC)


class Rounds:
    """The thread that looks every :data:`INTERVAL` at what is due; ``clock`` gives aware times."""

    def __init__(
        self, settings: Settings, desk: Desk, clock: Callable[[], datetime] = _now
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._clock = clock
        self._closed_until: date | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def start(self) -> None:
        """Start the thread; the first round is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a round under way is finished first."""
        self._stopping.set()
        self._thread.join()

    def go_round(self) -> dict[str, int]:
        """Do all that is due; how much there was of each."""
        now = self._clock()
        duties: dict[str, Callable[[datetime], int]] = {
            "reminders": self._remind,
            "notices": self._announce,
            "offers_expired": self._expire,
            "stays_ended": self._close_days,
            "forgotten": self._forget,
        }
        done: dict[str, int] = {}
        for name, duty in duties.items():
            # One that can't be done must not keep the others from being done.
            try:
                done[name] = duty(now)
            except (DatabaseError, SealError) as error:
                log.error("round_failed", duty=name, reason=str(error))
        return {name: count for name, count in done.items() if count}

    def _remind(self, now: datetime) -> int:
        return remind(self._desk, self._settings.takeover_remind, now)

    def _announce(self, now: datetime) -> int:
        return announce_departures(self._desk, self._settings.departure_notice_at, now)

    def _expire(self, _now: datetime) -> int:
        with self._desk.database.transaction(durable=False) as connection:
            return self._desk.requests.expire_due(connection)

    def _close_days(self, now: datetime) -> int:
        """Once a day: it reads every open booking."""
        today = now.astimezone(self._desk.facts.time_zone).date()
        if self._closed_until == today:
            return 0
        ended = close_past_days(self._desk, now)
        self._closed_until = today
        return ended

    def _forget(self, _now: datetime) -> int:
        """What is kept of who called and what they asked for, for as long as it is kept."""
        with self._desk.database.transaction(durable=False) as connection:
            keep = self._settings.audit_keep
            called = nonces.purge(connection) + audit.purge(connection, keep)
            called += echoes.purge(connection)
            return called + self._desk.commands.purge(connection, keep)

    def _run(self) -> None:
        while True:
            # Whoever leads instead goes round for both.
            if self._desk.leadership.term() is not None and (done := self.go_round()):
                log.info("round_done", **done)
            if self._stopping.wait(INTERVAL.total_seconds()):
                return

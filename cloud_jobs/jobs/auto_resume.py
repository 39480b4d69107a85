"""What comes in and can't wait for the end of a pause ends it.

Only pauses that the clock or the empty house made: what a person paused, a person resumes.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from cloud_jobs.jobs import dynamic_pause, night_pause
from cloud_jobs.known.reservation import TOLD, Change
from cloud_jobs.runtime.job import Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.runtime.pausing import paused, resume

BY: Final = "auto-resume"
LIFTED: Final = frozenset({night_pause.BY, dynamic_pause.BY})
# A flight is late at night; a person writes to guests, or wants something translated; somebody is
# in danger, and the others will be written to.
CANNOT_WAIT: Final = (
    "flight.delayed",
    "flight.cancelled",
    "notifications.batch",
    "translation.wanted",
    "emergency.raised",
)
_DAY: Final = timedelta(days=1)


class Arrival(Payload):
    """Of ``reservation.told`` and ``booking.changed``, what matters here."""

    change: Change | None = None
    status: str | None = None
    arrival: date | None = None

    @property
    def is_off(self) -> bool:
        """Whether nobody comes after all."""
        return self.change is Change.CANCELLED or self.status == "cancelled"


@job("auto-resume", On(*CANNOT_WAIT), queue=Queue.UPKEEP, payload=Nothing)
def auto_resume(run: RunContext, _: Nothing) -> dict[str, list[str]]:
    """Have the notices go out."""
    return _resume(run, (Queue.NOTICES,))


@job("auto-resume-for-arrival", On(TOLD, "booking.changed"), queue=Queue.UPKEEP, payload=Arrival)
def auto_resume_for_arrival(run: RunContext, payload: Arrival) -> dict[str, list[str]]:
    """A booking for today or tomorrow: its guest is told how to come, and its flight watched."""
    if payload.arrival is None or payload.is_off:
        return {}
    today = datetime.now(run.settings.zone).date()
    if not today <= payload.arrival <= today + _DAY:
        return {}
    return _resume(run, (Queue.NOTICES, Queue.WATCH))


def _resume(run: RunContext, queues: tuple[Queue, ...]) -> dict[str, list[str]]:
    with run.store.writing() as session:
        found = [
            queue for queue, row in paused(session).items() if queue in queues and row.by in LIFTED
        ]
        resume(session, found, BY, datetime.now(UTC))
    return {"resumed": [*found]} if found else {}

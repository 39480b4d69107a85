"""While nobody is in the house and nobody comes, there is nothing to watch and little to report."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from cloud_jobs.known import stays
from cloud_jobs.runtime.job import Cron, Nothing, Queue, RunContext, job
from cloud_jobs.runtime.pausing import pause, paused, resume

BY: Final = "dynamic-pause"
# Not the notices: who left yesterday is asked for a review, and a host may write to anybody.
QUEUES: Final = (Queue.WATCH, Queue.REPORTS)
AHEAD: Final = timedelta(days=1)


@job("dynamic-pause", Cron("*/30 * * * *"), queue=Queue.UPKEEP, payload=Nothing)
def dynamic_pause(run: RunContext, _: Nothing) -> dict[str, list[str]]:
    """Pause while no guest is there or comes within a day; resume when there is one."""
    now = datetime.now(UTC)
    with run.store.writing() as session:
        if not _is_empty(session, now.astimezone(run.settings.zone)):
            mine = [queue for queue, row in paused(session).items() if row.by == BY]
            resume(session, mine, BY, now)
            return {"resumed": [*mine]} if mine else {}
        done = pause(session, QUEUES, BY, "nobody is in the house, nobody comes", now)
    return {"paused": [*done]} if done else {}


def _is_empty(session: Session, now: datetime) -> bool:
    """Days, not hours: when on a day a guest comes is not always known."""
    today = now.date()
    return not stays.in_house(session, today) and not stays.arriving(session, today, today + AHEAD)

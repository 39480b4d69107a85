"""Old flights, warnings, counted calls and bookings of Smoobu's are deleted, once a day."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from cloud_jobs.runtime.job import Cron, Nothing, Queue, RunContext, job
from cloud_jobs.sources.reading import forget_old


@job("forget-sources", Cron("25 4 * * *"), queue=Queue.UPKEEP, payload=Nothing)
def forget_sources(run: RunContext, _: Nothing) -> dict[str, int]:
    """Delete what is older than ``PORTIERE_KEEP_RUNS``; how many rows of each table."""
    deleted: dict[str, int] = {}

    def forget(session: Session, _: bool) -> None:
        deleted.update(forget_old(session, run.settings.keep_runs, datetime.now(UTC)))

    run.step("forget", lambda: True, bool, also=forget)
    return deleted

"""Every night: what is over for longer than PORTIERE_KEEP_RUNS is deleted, used-up keys freed."""

from datetime import UTC, datetime

from cloud_jobs.exchange import nonces
from cloud_jobs.runtime.job import Cron, Nothing, Queue, RunContext, job
from cloud_jobs.runtime.keeping import delete_old as delete_rows
from cloud_jobs.runtime.keeping import free_keys


@job("delete-old", Cron("40 3 * * *"), queue=Queue.UPKEEP, payload=Nothing)
def delete_old(run: RunContext, _: Nothing) -> dict[str, int]:
    """How many rows of each table. Not a step: what is deleted is deleted, however often."""
    now = datetime.now(UTC)
    deleted = delete_rows(run.store, run.settings.keep_runs, now)
    with run.store.writing() as session:
        freed = free_keys(session, now)
        nonces.purge(session, now)
    return deleted | {"keys": freed}

"""The one Dramatiq actor: run ids in. On a run that is over, or another's, it does nothing.

One that fails leaves its runs claimed: once their leases are over, the relay queues them again.
"""

import dramatiq

from app.queueing import WokenBroker
from cloud_jobs.runtime.broker import ACTOR, QUEUE
from cloud_jobs.runtime.executing import Runner


def register(broker: WokenBroker, runner: Runner) -> None:
    """Declare the actor on ``broker``."""

    def work(*run_ids: str) -> None:
        runner.execute_all(run_ids)

    dramatiq.actor(actor_name=ACTOR, broker=broker, queue_name=QUEUE)(work)

"""What is open, by the queue it waits in; and putting all of it on the queue again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.store.database import Database, now_ms
from app.work.broker import DeskBroker
from app.work.jobs import Job, message

# How long the standby's Redis may take to say that it has it all too.
REPLICA_WAIT: Final = timedelta(seconds=2)


@dataclass(frozen=True)
class OpenRows:
    """The open rows of one queue in one state; the oldest's age in seconds."""

    queue: str
    state: str
    rows: int
    oldest_seconds: float


@dataclass(frozen=True)
class Synced:
    """How many rows were put on the queue, and how many replicas have them too."""

    sent: int
    replicas: int


def open_rows(database: Database) -> list[OpenRows]:
    """How much is open and how old it is."""
    now = now_ms()
    return [
        OpenRows(row["queue"], row["state"], row["n"], max(0, now - row["oldest"]) / 1000)
        for row in database.all(_OPEN)
    ]


def queue_all(database: Database, broker: DeskBroker) -> Synced:
    """Put every row that may go on the queue, and wait until a replica has it.

    What is on the queue already comes twice, which an actor doesn't mind. Raises redis.RedisError.
    """
    jobs = [message(Job(row["job"]), row["id"]) for row in database.all(_TO_QUEUE)]
    broker.enqueue_many(jobs)
    replicas = broker.client.wait(1, int(REPLICA_WAIT.total_seconds() * 1000))
    return Synced(len(jobs), int(replicas))


_OPEN: Final = """
SELECT 'answers' AS queue, state, count(*) AS n, min(received_at) AS oldest FROM inbox
WHERE state = 'received' AND guest IS NOT NULL GROUP BY state
UNION ALL
SELECT 'reports', state, count(*), min(received_at) FROM inbox
WHERE state = 'received' AND guest IS NULL GROUP BY state
UNION ALL
SELECT iif(lane = 'notice', 'notices', 'sends') AS queue, state, count(*), min(created_at)
FROM outbox WHERE state IN ('pending', 'sending', 'unknown') GROUP BY queue, state
UNION ALL
SELECT 'commands', state, count(*), min(received_at) FROM commands
WHERE state = 'received' GROUP BY state
UNION ALL
SELECT 'events', state, count(*), min(created_at) FROM cloud_events
WHERE state = 'waiting' GROUP BY state
UNION ALL
SELECT 'alerts', state, count(*), min(created_at) FROM alert_deliveries
JOIN alerts ON alerts.id = alert_id WHERE state = 'pending' GROUP BY state
ORDER BY queue, state
"""

_TO_QUEUE: Final = """
SELECT 'answer_message' AS job, id FROM inbox WHERE state = 'received' AND guest IS NOT NULL
UNION ALL
SELECT 'run_command', id FROM commands WHERE state = 'received'
UNION ALL
SELECT 'deliver_message', id FROM outbox WHERE state = 'pending'
"""

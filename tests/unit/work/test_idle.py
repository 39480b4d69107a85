"""What is asked every moment costs no more after years of messages than on the first day."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from app.commands.unfinished import due_commands
from app.events.waiting import WaitingEvents
from app.messages.pausing import Queue, is_paused
from app.messages.unfinished import Patience, sweep
from app.store.database import Connection
from app.work import picture
from app.work.desk import Desk

PATIENCE = Patience(timedelta(seconds=5), timedelta(seconds=20), resend=True)
# All of it long over.
HISTORY = (
    """
    INSERT INTO inbox (source, event_id, event, guest, sealed_body, state, received_at, next_at,
                       done_at)
    SELECT 'spoki', 'e' || :n || '-' || n, 'sent', iif(n % 4, NULL, randomblob(8)), 'x', 'done',
           n, n, n FROM numbers
    """,
    """
    INSERT INTO outbox (idempotency_key, guest, kind, lane, sealed_phone, sealed_message, language,
                        sent_as, state, created_at, not_before, next_at, sending_at, sent_at)
    SELECT 'k' || :n || '-' || n, randomblob(8), 'reply', 'talk', 'x', 'x', 'it', 'text', 'read',
           n, n, n, n, n FROM numbers
    """,
    """
    INSERT INTO commands (command_id, client, idempotency_key, digest, name, sealed_payload, state,
                          came_by, received_at, next_at)
    SELECT 'c' || :n || '-' || n, 'cloud', 'c' || :n || '-' || n, 'x', 'SEND_MESSAGE', 'x',
           'discarded', 'push', n, n FROM numbers
    """,
    """
    INSERT INTO cloud_events (event_id, name, sealed_payload, state, created_at, waiting_since,
                              delivered_at)
    SELECT 'v' || :n || '-' || n, 'message.received', 'x', 'delivered', n, n, n FROM numbers
    """,
    """
    INSERT INTO alerts (key, kind, sealed_text, urgent, created_at)
    SELECT 'a' || :n || '-' || n, 'peer_down', 'x', 0, n FROM numbers
    """,
    """
    INSERT INTO alert_deliveries (alert_id, channel, state, next_at, sent_at)
    SELECT id, 'whatsapp', 'sent', created_at, created_at FROM alerts
    WHERE key LIKE 'a' || :n || '-%'
    """,
)
NUMBERS = "WITH numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500) "


def grow(desk: Desk, years: range) -> None:
    """Add 500 of everything, all of it over, for each of ``years``."""
    for number in years:
        with desk.database.transaction(durable=False) as connection:
            for statement in HISTORY:
                before, word, rest = statement.partition("SELECT")
                connection.execute(f"{before}{NUMBERS}{word}{rest}", {"n": number})


def steps(connection: Connection, do: Callable[[], object]) -> int:
    """How many instructions SQLite carries out meanwhile, in tens."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(counted, 10)
    do()
    connection.set_progress_handler(None, 0)
    return count


MOMENTS: dict[str, Callable[[Desk], object]] = {
    "reports": lambda desk: desk.inbox.open_reports(20),
    "relay": lambda desk: sweep(desk.database, PATIENCE),
    "commands": lambda desk: due_commands(desk.database, timedelta(seconds=5)),
    "alerts": lambda desk: desk.alerts.claim(),
    "pauses": lambda desk: is_paused(desk.database.connection, Queue.EVENTS),
    "events": lambda desk: WaitingEvents(desk.database, desk.seal).first(100, 10_000, None),
    "status": lambda desk: picture.take(desk.database),
    "limits": lambda desk: desk.delivering.guard.room(),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_it_costs_the_same_after_years(desk: Desk, name: str) -> None:
    do, connection = MOMENTS[name], desk.database.connection
    grow(desk, range(1))
    do(desk)  # what is prepared once
    young = steps(connection, partial(do, desk))
    grow(desk, range(1, 10))
    assert steps(connection, partial(do, desk)) <= young + 10

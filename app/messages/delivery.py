"""Handing one message of the outbox to the provider."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from app.leading import Leadership
from app.messages.outbox import Outbox, OutboxRow
from app.messages.provider import (
    Guard,
    InDoubtError,
    LeaseOverError,
    NotSentError,
    Provider,
    RefusedError,
    SlowDownError,
    UnreachableError,
    WindowClosedError,
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Delivering:
    """What delivery needs."""

    outbox: Outbox
    provider: Provider
    guard: Guard
    leadership: Leadership
    echo_wait: timedelta


def deliver(delivering: Delivering, row_id: int) -> int | None:
    """Send the message of ``row_id`` if it is this caller's to send.

    A crash at any line leaves a row that the relay knows what to do with: ``pending`` is sent,
    ``sending`` was perhaps sent. Returns the guest's next message that now may go, if one waits.
    """
    row = delivering.outbox.claim(row_id)
    if row is None:
        return delivering.outbox.next_after(row_id)
    return hand_over(delivering, row)


def hand_over(delivering: Delivering, row: OutboxRow) -> int | None:
    """Send a claimed message; returns as :func:`deliver` does."""
    _send(delivering, row)
    return delivering.outbox.next_of_guest(row.guest)


def _send(delivering: Delivering, row: OutboxRow) -> None:
    """Send it, note on the row what came of it, then tell the guard, whose changes may take time.

    Refusals say nothing about the provider's health: some are made before it is asked.
    """
    outbox, guard, call = delivering.outbox, delivering.guard, row.idempotency_key
    try:
        provider_id = delivering.provider.send(
            row.phone, row.message, call, partial(look, delivering.leadership, row)
        )
    except LeaseOverError as error:
        outbox.not_sent(row, str(error), error.after)
        guard.told_nothing(call)
        log.warning("message_kept_back", outbox_id=row.row_id, reason=str(error))
    except SlowDownError as error:
        outbox.slow_down(row, str(error), error.after)
        guard.succeeded(call)
        log.warning("provider_asks_to_wait", outbox_id=row.row_id, reason=str(error))
    except UnreachableError as error:
        outbox.not_sent(row, str(error), error.after)
        guard.failed(call, str(error))
        log.warning("message_postponed", outbox_id=row.row_id, reason=str(error))
    except NotSentError as error:
        outbox.not_sent(row, str(error), error.after)
        guard.succeeded(call)
        log.warning("message_postponed", outbox_id=row.row_id, reason=str(error))
    except WindowClosedError as error:
        outbox.window_closed(row, str(error))
        guard.succeeded(call)
        log.warning("window_closed", outbox_id=row.row_id, reason=str(error))
    except RefusedError as error:
        outbox.refused(row.row_id, str(error))
        guard.told_nothing(call)
        log.error("message_refused", outbox_id=row.row_id, reason=str(error))
    except InDoubtError as error:
        outbox.in_doubt(row.row_id, str(error), delivering.echo_wait)
        guard.failed(call, str(error))
        log.warning("message_in_doubt", outbox_id=row.row_id, reason=str(error))
    else:
        outbox.sent(row.row_id, provider_id)
        guard.succeeded(call)
        log.info("message_sent", outbox_id=row.row_id, attempts=row.attempts)


def look(leadership: Leadership, row: OutboxRow) -> None:
    """The last look before it goes: a process may have been frozen since it claimed the row.

    Raises :class:`LeaseOverError`.
    """
    if leadership.term() != row.term:
        raise LeaseOverError(f"the lease of term {row.term} is over", timedelta(0))

"""Keeping what a former leader hands over: what the leader's database lacks, and nothing else.

A row that can't be read here is counted and left: the other node keeps its file.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from app.commands.handed_over import Command, keep_command
from app.commands.store import Commands
from app.events.hearing import tell_message
from app.events.outgoing import Events
from app.guests.handed_over import compare_request, keep_booking, keep_guest
from app.ha.handed import Batch
from app.messages import audit
from app.messages.events import StatusReport
from app.messages.handed_in import (
    keep_held,
    keep_message,
    keep_told,
    received_then,
    settle_outcome,
    settle_report,
)
from app.messages.handed_over import InboxEvent, Message
from app.messages.inbox import Inbox
from app.messages.settling import MovedHook
from app.messages.unfinished import Patience
from app.providers.registry import parse_stored
from app.sealing import Seal, SealError
from app.settings import InDoubt, Settings
from app.store.database import Connection, Database
from app.store.handed import Handed, Verdict
from app.work.jobs import Job

T = TypeVar("T", bound=Handed)
log = structlog.get_logger()
TAKEN_IN: Final = "handover.taken_in"


@dataclass(frozen=True)
class Keeper:
    """What keeping needs. ``on_moved`` is told of messages that turn out to be sent or failed."""

    database: Database
    seal: Seal
    inbox: Inbox
    commands: Commands
    patience: Patience
    on_moved: MovedHook


def keeper_of(settings: Settings, database: Database, seal: Seal) -> Keeper:
    """What keeps what is handed over to this database."""
    events = Events(database, seal, enabled=settings.cloud_url is not None)
    resend = settings.send_in_doubt is InDoubt.RESEND
    return Keeper(
        database=database,
        seal=seal,
        inbox=Inbox(database, seal, settings.relay_grace),
        commands=Commands(database, seal, settings.relay_grace),
        patience=Patience(settings.relay_grace, settings.send_echo_wait, resend),
        on_moved=partial(tell_message, events),
    )


@dataclass
class TakenIn:
    """What became of a batch; ``jobs`` are to be queued once it is committed."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    jobs: list[tuple[Job, int]] = field(default_factory=list)


def take_in(keeper: Keeper, batch: Batch, node: str) -> TakenIn:
    """Keep what ``node`` hands over, all of the batch in one durable transaction."""
    taken = TakenIn()
    with keeper.database.transaction() as connection:
        keep = partial(_each, connection, taken)
        settle = partial(settle_outcome, patience=keeper.patience, on_moved=keeper.on_moved)
        keep(batch.outcomes, lambda one: settle(connection, one))
        keep(batch.reports, lambda one: _keep_event(keeper, connection, one, taken))
        keep(batch.messages, lambda one: _keep_event(keeper, connection, one, taken))
        keep(batch.commands, lambda one: _keep_command(keeper, connection, one, taken))
        keep(batch.written, lambda one: _keep_written(keeper, connection, one, taken))
        keep(batch.guests, lambda one: keep_guest(connection, keeper.seal, one))
        keep(batch.bookings, lambda one: keep_booking(connection, keeper.seal, one))
        keep(batch.requests, lambda one: compare_request(connection, one))
        keep(batch.held, lambda one: keep_held(connection, one))
        keep(batch.told, lambda one: keep_told(connection, one))
        if taken.counts.keys() - {Verdict.KNOWN}:
            detail = {str(verdict): n for verdict, n in taken.counts.items()}
            audit.record(connection, actor=node, action=TAKEN_IN, detail=detail)
    return taken


def _each(
    connection: Connection, taken: TakenIn, rows: Iterable[T], keep: Callable[[T], Verdict]
) -> None:
    for row in rows:
        connection.execute("SAVEPOINT row")
        try:
            verdict = keep(row)
        except (SealError, ValueError) as error:
            connection.execute("ROLLBACK TO row")
            # Without its text: that may quote what a guest wrote.
            log.error("handover_unreadable", what=type(row).__name__, reason=type(error).__name__)
            verdict = Verdict.REFUSED
        finally:
            connection.execute("RELEASE row")
        taken.counts[verdict] += 1


def _keep_event(keeper: Keeper, connection: Connection, one: InboxEvent, taken: TakenIn) -> Verdict:
    opened = keeper.seal.open(one.sealed_body, f"inbox.body:{one.event_id}")
    if not opened:
        return Verdict.KNOWN  # erased with its guest
    body = opened.encode()
    event = replace(parse_stored(one.source, body), event_id=one.event_id)
    held_until = datetime.now(UTC) + keeper.patience.echo_wait if one.in_doubt else None
    row_id = keeper.inbox.accept(event, body, held_until)(connection).row_id
    if row_id is None:
        return Verdict.KNOWN
    received_then(connection, row_id, one.received_at)
    if isinstance(event.content, StatusReport):
        # At once: what guests wrote comes next, and an answer that went out must not go again.
        settle_report(connection, event.content, keeper.on_moved)
    elif not one.in_doubt:
        taken.jobs.append((Job.ANSWER_MESSAGE, row_id))
    return Verdict.NEW


def _keep_command(keeper: Keeper, connection: Connection, one: Command, taken: TakenIn) -> Verdict:
    kept = keep_command(connection, keeper.seal, keeper.commands, one)
    if kept.is_new:
        taken.jobs.append((Job.RUN_COMMAND, kept.row_id))
        return Verdict.NEW
    return Verdict.KNOWN if kept.is_same else Verdict.DIFFERS


def _keep_written(keeper: Keeper, connection: Connection, one: Message, taken: TakenIn) -> Verdict:
    verdict, to_send = keep_message(connection, one, keeper.patience)
    if to_send is not None:
        taken.jobs.append((Job.DELIVER_MESSAGE, to_send))
    return verdict

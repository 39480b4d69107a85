"""From the desk's events to what is known: each in the transaction that takes it."""

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.known import folding, told
from cloud_jobs.known.erasing import ERASED_EVENT, forget
from cloud_jobs.known.told import (
    CommandTold,
    GuestTold,
    MessageAnswered,
    MessageReceived,
    MessageTold,
    RequestTold,
    StayTold,
)
from cloud_jobs.runtime.events import Event

log = structlog.get_logger()
FINISHED: Final = "command.finished"


def apply(session: Session, event: Event, *, seal: Seal, now: datetime) -> None:
    """Fold one event of the desk, which is new, into what is known, in the caller's transaction.

    Names that are not of the desk change nothing. Raises pydantic's ValidationError for a payload
    that is not as docs/events.md has it: `cloud_jobs.known.told` reads it beforehand.
    """
    model = told.BY_NAME.get(event.name)
    if model is None:
        return
    # The store keeps milliseconds, as the desk does: two times are compared as they are kept.
    at = event.occurred_at.replace(microsecond=event.occurred_at.microsecond // 1000 * 1000)
    state = event.name.rpartition(".")[2]
    match model.model_validate(event.payload):
        case GuestTold() as guest if event.guest is not None:
            folding.fold_guest(session, event.guest, guest, at)
        case StayTold() as stay:
            folding.fold_stay(session, event.guest, stay, at)
        case RequestTold() as request:
            folding.fold_request(session, event.guest, folding.REQUESTS[event.name], request, at)
        case MessageReceived() as received:
            folding.fold_received(session, event.guest, received)
        case MessageAnswered() as answered:
            folding.fold_answered(session, event.guest, answered, at)
        case MessageTold() as message:
            folding.fold_message(session, event.guest, state, message, at)
        case CommandTold() as finished:
            _settle(session, seal, finished, now)
        case _ if event.name == ERASED_EVENT and event.guest is not None:
            forget(session, seal, event.guest, at)


def _settle(session: Session, seal: Seal, finished: CommandTold, now: datetime) -> None:
    settled = commands.settle(
        session,
        seal,
        command_id=finished.id,
        state=CommandState(finished.state),
        result=finished.result,
        error=finished.error,
        now=now,
    )
    if not settled:
        # Pushed by hand, settled before, or of before a store was restored.
        log.info("command_not_open", command_id=finished.id)

"""A guest whom the desk has erased is erased here too, and stays so.

What was done stays, without who it was for: stays keep their days for the figures, as the desk
keeps them for the tax office; runs keep when they ran and what they cost. That somebody was erased
is remembered by a hash of their index, so that what the desk tells late doesn't bring them back.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, String, cast, literal, or_, select, tuple_, update
from sqlalchemy import delete as delete_from
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.mail.results import SMOOBU
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.known import (
    ErasedGuest,
    KnownGuest,
    KnownMessage,
    KnownRequest,
    KnownStay,
    KnownTurn,
)
from cloud_jobs.store.runs import FINISHED, Run, State, Step
from cloud_jobs.store.sources import Mail, ReservationMail, SmoobuBooking, ToldBooking
from cloud_jobs.store.upserts import insert_into

ERASED_EVENT: Final = "guest.erased"
ERASED: Final = "guest_erased"
_NOTHING: Final = json.dumps({})
Booking = tuple[str, str]
"""Channel and code."""


def erased_at(session: Session, guests: Iterable[str]) -> Mapping[str, datetime]:
    """When each of ``guests`` (blind indexes in hex) was erased; who never was is left out."""
    by_digest = {_digest(guest): guest for guest in guests}
    rows = session.execute(
        select(ErasedGuest.digest, ErasedGuest.erased_at).where(
            ErasedGuest.digest.in_(list(by_digest))
        )
    )
    return {by_digest[digest]: at for digest, at in rows}


def forget(session: Session, seal: Seal, guest: str, at: datetime) -> None:
    """Erase a guest, in the caller's transaction; ``at`` is when the desk did.

    All that is kept sealed is looked through for them: seconds, where there are 100,000 runs. A run
    for many guests that isn't over yet keeps what it knows until it is deleted.
    """
    _remember(session, guest, at)
    bookings = _bookings_of(session, guest)
    mentions = _mentions(session, guest, bookings)
    event_ids = _empty_events(session, seal, guest, mentions)
    mails = _mails_of(session, bookings)
    # Who read a mail was told its digest only, and remembers what it said.
    runs = _runs_of(session, guest, [*event_ids, *(f"mail:{digest}" for digest in mails)])
    _close_commands(session, seal, guest, runs, at)
    over = runs | _finished_runs(session, seal, mentions)
    _cancel_runs(session, runs, at)
    _empty_runs(session, seal, over)
    _forget_sources(session, bookings, mails)
    _forget_known(session, guest)


def _remember(session: Session, guest: str, at: datetime) -> None:
    added = insert_into(session, ErasedGuest).values(digest=_digest(guest), erased_at=at)
    session.execute(
        added.on_conflict_do_update(
            index_elements=[ErasedGuest.digest],
            set_={"erased_at": added.excluded.erased_at},
            where=ErasedGuest.erased_at < added.excluded.erased_at,
        )
    )


def _digest(guest: str) -> str:
    return sha256(bytes.fromhex(guest)).hexdigest()


def _bookings_of(session: Session, guest: str) -> set[Booking]:
    rows = session.execute(
        select(KnownStay.channel, KnownStay.code).where(KnownStay.guest == guest)
    )
    return {(channel, code) for channel, code in rows}


def _mentions(session: Session, guest: str, bookings: set[Booking]) -> re.Pattern[str]:
    """Finds the guest, their bookings, and Smoobu's of these, in JSON."""
    codes = [re.escape(json.dumps(code)) for _, code in bookings]
    numbers = session.scalars(
        select(SmoobuBooking.smoobu_id).where(
            _booked(SmoobuBooking.channel, SmoobuBooking.code, bookings)
        )
    )
    return re.compile("|".join([guest, *codes, *(rf'"id": ?{number}\b' for number in numbers)]))


def _empty_events(
    session: Session, seal: Seal, guest: str, mentions: re.Pattern[str]
) -> Sequence[str]:
    """Those about the guest, and what others told of their bookings; their ids."""
    rows = session.execute(select(InboundEvent.event_id, InboundEvent.guest, InboundEvent.payload))
    found = [
        event_id
        for event_id, about, payload in rows
        if about == guest or mentions.search(seal.open(payload, _event(event_id)))
    ]
    for event_id in found:
        session.execute(
            update(InboundEvent)
            .where(InboundEvent.event_id == event_id)
            .values(guest=None, payload=seal.seal(_NOTHING, _event(event_id)))
        )
    return found


def _runs_of(session: Session, guest: str, event_ids: Sequence[str]) -> set[str]:
    """Those that these events started, and the runs that those started, to the last."""
    found: set[str] = set()
    wanted = or_(Run.guest == guest, Run.event_id.in_(event_ids))
    while new := set(session.scalars(select(Run.run_id).where(wanted))) - found:
        found |= new
        wanted = or_(Run.parent.in_(new), Run.replay_of.in_(new))
    return found


def _finished_runs(session: Session, seal: Seal, mentions: re.Pattern[str]) -> set[str]:
    """Those that are over and have anything of the guest."""
    given = session.execute(
        select(Run.run_id, Run.payload, Run.output).where(Run.state.in_(FINISHED))
    )
    found = {
        run_id
        for run_id, payload, output in given
        if mentions.search(seal.open(payload, f"runs.payload:{run_id}"))
        or (output and mentions.search(seal.open(output, f"runs.output:{run_id}")))
    }
    steps = session.execute(
        select(Step.run_id, Step.name, Step.output)
        .join(Run, Run.run_id == Step.run_id)
        .where(Run.state.in_(FINISHED))
    )
    return found | {
        run_id
        for run_id, name, output in steps
        if mentions.search(name) or mentions.search(seal.open(output, _step(run_id, name)))
    }


def _close_commands(
    session: Session, seal: Seal, guest: str, runs: Collection[str], at: datetime
) -> None:
    """What the desk has not fetched is not offered any more: it would find nobody."""
    open_ones = session.scalars(select(Command).where(Command.state == CommandState.OFFERED))
    for command in open_ones.all():
        named = commands.payload_of(seal, command).get("guest")
        if named == guest or command.run_id in runs:
            commands.settle(
                session,
                seal,
                command_id=command.command_id,
                state=CommandState.FAILED,
                result=None,
                error={"code": ERASED},
                now=at,
            )
    session.execute(update(Command).where(Command.run_id.in_(runs)).values(result=None))


def _cancel_runs(session: Session, runs: Collection[str], at: datetime) -> None:
    """One that has not begun won't; one at work is told."""
    theirs = Run.run_id.in_(runs)
    session.execute(update(Run).where(theirs, Run.state == State.RUNNING).values(cancel_asked=True))
    session.execute(
        update(Run)
        .where(theirs, Run.state.in_([State.QUEUED, State.PAUSED]))
        .values(state=State.CANCELLED, finished_at=at)
    )


def _empty_runs(session: Session, seal: Seal, runs: Iterable[str]) -> None:
    """They keep when they ran and what they cost; keys and steps' names may say whose."""
    for run_id in runs:
        session.execute(delete_from(Step).where(Step.run_id == run_id))
        session.execute(
            update(Run)
            .where(Run.run_id == run_id)
            .values(
                guest=None,
                idempotency_key=None,
                concurrency_key=None,
                output=None,
                payload=seal.seal(_NOTHING, f"runs.payload:{run_id}"),
            )
        )


def _mails_of(session: Session, bookings: set[Booking]) -> Sequence[str]:
    """The mails that told of their bookings. Smoobu's own name one by Smoobu's number of it."""
    numbers = session.scalars(
        select(SmoobuBooking.smoobu_id).where(
            _booked(SmoobuBooking.channel, SmoobuBooking.code, bookings)
        )
    )
    named = bookings | {(SMOOBU, str(number)) for number in numbers}
    return session.scalars(
        select(ReservationMail.digest).where(
            _booked(ReservationMail.numbered_by, ReservationMail.code, named)
        )
    ).all()


def _forget_sources(session: Session, bookings: set[Booking], mails: Sequence[str]) -> None:
    """What told of their bookings. That Smoobu's was seen is kept, without its number."""
    session.execute(
        delete_from(ToldBooking).where(_booked(ToldBooking.channel, ToldBooking.code, bookings))
    )
    session.execute(delete_from(ReservationMail).where(ReservationMail.digest.in_(mails)))
    session.execute(update(Mail).where(Mail.digest.in_(mails)).values(raw=None))
    session.execute(
        update(SmoobuBooking)
        .where(_booked(SmoobuBooking.channel, SmoobuBooking.code, bookings))
        .values(code=_erased(SmoobuBooking.smoobu_id))
    )


def _forget_known(session: Session, guest: str) -> None:
    """As the desk does it: the number would lead back to them at the channel."""
    session.execute(delete_from(KnownGuest).where(KnownGuest.guest == guest))
    session.execute(
        update(KnownStay)
        .where(KnownStay.guest == guest)
        .values(
            guest=None,
            code=_erased(KnownStay.booking_id),
            party=None,
            flight_number=None,
        )
    )
    session.execute(
        update(KnownRequest).where(KnownRequest.guest == guest).values(guest=None, booking_id=None)
    )
    for table in (KnownTurn, KnownMessage):
        session.execute(update(table).where(table.guest == guest).values(guest=None))


def _erased(number: Any) -> ColumnElement[str]:
    return literal("erased-").concat(cast(number, String))


def _booked(channel: Any, code: Any, bookings: set[Booking]) -> ColumnElement[bool]:
    return tuple_(channel, code).in_(bookings)


def _event(event_id: str) -> str:
    return f"inbound_events.payload:{event_id}"


def _step(run_id: str, name: str) -> str:
    return f"steps.output:{run_id}:{name}"

"""The upsell agent: what to offer to whom, so that nobody is bothered.

A guest is offered one thing at a time, each kind at most once in a stay, nothing more after two
declines, and only with their consent. Of what remains the likeliest is chosen
(`cloud_jobs.agents.wanting`), if it is likely at all; for one stay in ten what has been offered
least, so that there is something to learn from. The desk has the last word (QUEUE_UPSELL in
docs/commands.md): what it refused is remembered too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.agents.wanting import Kind, Learned, Offered, Stay, learn, scores
from cloud_jobs.exchange.commands import CommandState, outcome_of
from cloud_jobs.store.agents import Upsell
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.known import KnownGuest, KnownRequest, KnownStay

AHEAD: Final = timedelta(days=30)  # who comes later has other things in mind
MOST_DECLINES: Final = 2
LEAST_LIKELY: Final = 0.10  # what is less likely isn't worth a message, except to learn
EXPLORED_OF: Final = 10  # one stay in so many
# A kind without a price isn't asked for again so soon, in any stay; another refusal in that stay.
_NOT_PRICED_RESTS: Final = timedelta(days=7)
_REFUSED_RESTS: Final = timedelta(days=1)
_GAVE_UP: Final = timedelta(days=1)
# A little less than from one round to the next, which may be late.
_BETWEEN_OFFERS: Final = timedelta(hours=20)
_NOT_PRICED: Final = "not_offered"
_NEVER_AGAIN: Final = ("offered_before", "done_before")
_DECIDED: Final = ("accepted", "closed", "declined", "expired")


@dataclass(frozen=True)
class Choice:
    """What is offered, and for which stay; ``explored``: to learn, not for its score."""

    booking_id: int
    guest: str
    channel: str
    code: str
    kind: Kind
    explored: bool


def candidates(session: Session, today: date) -> Sequence[int]:
    """The stays (the desk's numbers) that run or come soon, of guests who agreed to offers."""
    return session.scalars(
        select(KnownStay.booking_id)
        .join(KnownGuest, KnownGuest.guest == KnownStay.guest)
        .where(_open(today), KnownGuest.consent == "given")
        .order_by(KnownStay.arrival, KnownStay.booking_id)
    ).all()


def choose(session: Session, booking_id: int, *, zone: ZoneInfo, now: datetime) -> Choice | None:
    """What to offer for a stay now; None where nothing is to be."""
    today = now.astimezone(zone).date()
    row = session.execute(
        select(KnownStay, KnownGuest)
        .join(KnownGuest, KnownGuest.guest == KnownStay.guest)
        .where(KnownStay.booking_id == booking_id, _open(today), KnownGuest.consent == "given")
    ).first()
    if row is None:
        return None
    known, guest = row
    stay = stay_of(known, guest.language, zone)
    if stay is None or _is_enough(session, guest.guest, booking_id, now):
        return None
    taken = _taken(session, booking_id, now)
    learned = learned_so_far(session, zone)
    likely = {kind: s for kind, s in scores(stay, learned, today).items() if kind not in taken}
    kind, explored = _pick(booking_id, likely, learned)
    if kind is None:
        return None
    return Choice(booking_id, guest.guest, known.channel, known.code, kind, explored)


def command_of(choice: Choice) -> dict[str, Any]:
    """The payload of QUEUE_UPSELL."""
    return {
        "guest": choice.guest,
        "kind": choice.kind,
        "booking": {"channel": choice.channel, "code": choice.code},
    }


def claim(session: Session, choice: Choice, now: datetime) -> None:
    """Remember that it is asked for, before it is: killed between the two, it is not asked twice.

    A kind that the desk had refused has a row already; it is used again.
    """
    session.merge(
        Upsell(
            booking_id=choice.booking_id,
            kind=choice.kind,
            command_id=None,
            state="asked",
            reason=None,
            request_id=None,
            explored=choice.explored,
            asked_at=now,
            settled_at=None,
        )
    )


def note_command(session: Session, choice: Choice, command_id: str) -> None:
    """Remember by which command it was asked for."""
    session.execute(
        update(Upsell)
        .where(Upsell.booking_id == choice.booking_id, Upsell.kind == choice.kind)
        .values(command_id=command_id)
    )


def settle(session: Session, seal: Seal, now: datetime) -> int:
    """Take over what the desk told of the offers that were asked for; how many.

    One whose run gave up before its command was issued is as good as refused.
    """
    session.execute(
        update(Upsell)
        .where(
            Upsell.state == "asked", Upsell.command_id.is_(None), Upsell.asked_at < now - _GAVE_UP
        )
        .values(state="refused", reason="never_asked", settled_at=now)
    )
    rows = session.execute(
        select(Upsell, Command)
        .join(Command, Command.command_id == Upsell.command_id)
        .where(Upsell.state == "asked", Command.state != CommandState.OFFERED)
    ).all()
    for upsell, command in rows:
        upsell.settled_at = command.settled_at or now
        if command.state == CommandState.DONE:
            upsell.state = "made"
            upsell.request_id = outcome_of(seal, command).get("request_id")
        else:
            upsell.state = "refused"
            upsell.reason = (command.error or "failed")[:40]
    return len(rows)


def learned_so_far(session: Session, zone: ZoneInfo) -> Learned:
    """What came of the offers that this agent asked for.

    Those that the desk made because the guest had asked are left out: of course they are taken
    more often.
    """
    rows = session.execute(
        select(KnownRequest, KnownStay, KnownGuest.language)
        .join(Upsell, Upsell.request_id == KnownRequest.request_id)
        .join(KnownStay, KnownStay.booking_id == Upsell.booking_id)
        .outerjoin(KnownGuest, KnownGuest.guest == KnownStay.guest)
        .where(KnownRequest.state.in_(_DECIDED))
    )
    return learn(
        Offered(Kind(request.kind), stay, is_accepted(request))
        for request, known, language in rows
        if (stay := stay_of(known, language, zone)) is not None
    )


def is_accepted(request: KnownRequest) -> bool:
    """Whether a guest took an offer; the desk closes only what was taken."""
    return request.was_offered and request.state in {"accepted", "closed"}


def stay_of(known: KnownStay, language: str | None, zone: ZoneInfo) -> Stay | None:
    """What scores are made from; None while its dates aren't known."""
    if known.arrival is None or known.departure is None:
        return None
    return Stay(
        arrival=known.arrival,
        departure=known.departure,
        booked_on=known.booked_at.astimezone(zone).date(),
        channel=known.channel,
        party=known.party,
        language=language,
        flies=known.flight_number is not None,
    )


def _open(today: date) -> ColumnElement[bool]:
    return and_(
        KnownStay.status == "confirmed",
        KnownStay.arrival <= today + AHEAD,
        KnownStay.departure > today,
    )


def _is_enough(session: Session, guest: str, booking_id: int, now: datetime) -> bool:
    """Whether the guest thinks about an offer, had one just now, or has declined often enough."""
    offered = select(KnownRequest.request_id).where(
        KnownRequest.guest == guest, KnownRequest.state == "offered"
    )
    asked = (
        select(Upsell.booking_id)
        .join(KnownStay, KnownStay.booking_id == Upsell.booking_id)
        .where(KnownStay.guest == guest, Upsell.state == "asked")
    )
    declined = select(func.count()).where(
        KnownRequest.booking_id == booking_id, KnownRequest.state == "declined"
    )
    lately = select(Upsell.booking_id).where(
        Upsell.booking_id == booking_id,
        Upsell.state == "made",
        Upsell.asked_at > now - _BETWEEN_OFFERS,
    )
    if any(session.scalar(query.limit(1)) is not None for query in (offered, asked, lately)):
        return True
    return (session.scalar(declined) or 0) >= MOST_DECLINES


def _taken(session: Session, booking_id: int, now: datetime) -> set[str]:
    """Kinds that aren't to be offered: the guest had them, or the desk refused them of late."""
    requested = select(KnownRequest.kind).where(KnownRequest.booking_id == booking_id)
    refused = Upsell.state == "refused"
    not_now = or_(
        and_(
            Upsell.booking_id == booking_id,
            or_(
                ~refused,
                Upsell.reason.in_(_NEVER_AGAIN),
                Upsell.settled_at > now - _REFUSED_RESTS,
            ),
        ),
        and_(
            refused,
            Upsell.reason == _NOT_PRICED,
            Upsell.settled_at > now - _NOT_PRICED_RESTS,
        ),
    )
    return set(session.scalars(requested)) | set(
        session.scalars(select(Upsell.kind).where(not_now))
    )


def _pick(booking_id: int, likely: dict[Kind, float], learned: Learned) -> tuple[Kind | None, bool]:
    """The kind, and whether it is explored. ``likely`` begins with the likeliest."""
    if not likely:
        return None, False
    # Not random, so that the same tables give the same offer.
    if hashlib.sha256(str(booking_id).encode()).digest()[0] % EXPLORED_OF == 0:
        return min(likely, key=lambda kind: (learned.decided.get((kind, ""), 0), kind)), True
    kind, score = next(iter(likely.items()))
    return (kind, False) if score >= LEAST_LIKELY else (None, False)

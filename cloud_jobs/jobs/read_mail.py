"""A mail that arrived is read: a reservation is told on, guests' words and doubts to a person.

The mail's words are dropped once it is read, unless a person must look at it; those of mails with
codes and passwords at once. Nothing is guessed at (docs/mail.md).
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import raise_alert
from cloud_jobs.known.mails import (
    FOR_A_PERSON,
    Verdict,
    alert_key,
    booking_of,
    keep_reservation,
    note_verdict,
    raw_of,
    reservation_of,
)
from cloud_jobs.known.reservation import TOLD, Change, ReservationTold
from cloud_jobs.mail.message import MOST_BYTES
from cloud_jobs.mail.reading import read
from cloud_jobs.mail.results import (
    SMOOBU,
    Doubt,
    ForAPerson,
    NotAReservation,
    Nothing,
    Reservation,
    Result,
)
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.sources.mail_intake import ARRIVED
from cloud_jobs.store.sources import Mail, SmoobuBooking

GUEST_MESSAGE: Final = "guest_message"
# Doubts that the rest of a mail would not dispel.
_PLAIN: Final = frozenset({Doubt.LOOKALIKE, Doubt.NOT_AUTHENTICATED, Doubt.UNREADABLE})
_WHY: Final = {
    Doubt.TOO_BIG: f"it is larger than {MOST_BYTES // 1_000_000} MB, or built too deep",
    Doubt.UNREADABLE: "it can't be read",
    Doubt.LOOKALIKE: "it looks like a booking site's, and comes from elsewhere: likely a fraud",
    Doubt.NOT_AUTHENTICATED: "it bears a booking site's name without its signature",
    Doubt.UNKNOWN_KIND: "it is a booking site's, of a kind that isn't known",
    Doubt.NO_CODE: "it tells of a booking without its number",
    Doubt.CONTRADICTION: "it names two numbers for one booking",
}


class MailArrived(Payload):
    """``digest`` of its bytes is its name."""

    digest: str


class Reading(Payload):
    """What a mail is; ``result`` is None if it was read before and its words are gone."""

    result: Reservation | NotAReservation | ForAPerson | None


class WhatCame(Payload):
    """The run's output."""

    verdict: Verdict | None
    reason: str | None = None


@job("email-reservation", On(ARRIVED), queue=Queue.INTAKE, payload=MailArrived)
def read_mail(run: RunContext, payload: MailArrived) -> WhatCame:
    """Read one mail, once; tell of the booking, as all its mails together have it."""

    def keep(session: Session, reading: Reading) -> None:
        _keep(run, session, payload.digest, reading.result)

    result = run.step("read", lambda: _read(run, payload.digest), Reading, also=keep).result
    came = _what_came(result)
    run.log("mail_read", verdict=came.verdict, reason=came.reason)
    if isinstance(result, Reservation):
        _tell(run, result)
    return came


def _read(run: RunContext, digest: str) -> Reading:
    with run.store.reading() as session:
        mail = session.get(Mail, digest)
        if mail is None:
            return Reading(result=None)
        raw = raw_of(run.seal, mail)
        if raw is None:  # a replay: of a reservation what it told is kept
            return Reading(result=reservation_of(session, run.seal, digest))
    server = run.settings.mail_authserv_id
    result = read(raw, authserv_id=server, received_at=mail.received_at)
    return Reading(result=result if mail.whole else _of_a_header(result))


def _of_a_header(result: Result) -> Result:
    """What the header alone is enough for; the rest of such a mail was never fetched."""
    if isinstance(result, NotAReservation):
        return result
    if isinstance(result, ForAPerson) and result.reason in _PLAIN:
        return result
    return ForAPerson(Doubt.TOO_BIG)


def _what_came(result: Result | None) -> WhatCame:
    match result:
        case Reservation():
            return WhatCame(verdict=Verdict.RESERVATION, reason=result.kind)
        case ForAPerson():
            return WhatCame(verdict=Verdict.PERSON, reason=result.reason)
        case NotAReservation():
            return WhatCame(verdict=Verdict.NOTHING, reason=result.reason)
    return WhatCame(verdict=None)


def _keep(run: RunContext, session: Session, digest: str, result: Result | None) -> None:
    mail = session.get(Mail, digest)
    came = _what_came(result)
    if mail is None or came.verdict is None:
        return
    if isinstance(result, Reservation):
        keep_reservation(session, run.seal, mail, result)
    elif isinstance(result, ForAPerson):
        _call_for_doubt(run, session, result.reason)
    elif isinstance(result, NotAReservation) and result.reason is Nothing.GUEST_MESSAGE:
        _call_for_message(run, session, digest, result)
    note_verdict(session, digest, came.verdict, came.reason)


def _call_for_doubt(run: RunContext, session: Session, reason: Doubt) -> None:
    day = datetime.now(run.settings.zone).date()
    text = (
        f"A mail waits for a person: {_WHY[reason]}. `portiere cloud mails` lists all that wait; "
        "nothing was done with them."
    )
    _raise(run, session, alert_key(reason, day), FOR_A_PERSON, text)


def _call_for_message(
    run: RunContext, session: Session, digest: str, message: NotAReservation
) -> None:
    about = f" about booking {message.code}" if message.code else ""
    words = f" “{message.text}”" if message.text else ""
    text = f"A guest writes by {message.channel}{about}; answer them there.{words}"
    _raise(run, session, f"{GUEST_MESSAGE}:{digest}", GUEST_MESSAGE, text)


def _raise(run: RunContext, session: Session, key: str, kind: str, text: str) -> None:
    now = datetime.now(UTC)
    raise_alert(session, run.seal, run.settings, key=key, kind=kind, text=text, now=now)


def _tell(run: RunContext, found: Reservation) -> None:
    """Tell of the booking, by the name that its channel gave it."""
    with run.store.reading() as session:
        booking = booking_of(session, run.seal, found)
        name = _name(session, booking)
    if name is None and run.settings.smoobu_key.get_secret_value():
        # Told under Smoobu's own number it would be a second booking beside the channel's, which
        # Smoobu's API knows: it is asked at once.
        run.start("smoobu", "smoobu-sync", {})
        return
    channel, code = name or (booking.numbered_by, booking.code)
    told = _told(booking, channel, code)
    run.emit("told", TOLD, told.model_dump(mode="json", exclude_none=True))


def _name(session: Session, booking: Reservation) -> tuple[str, str] | None:
    """The channel and its number of the booking; None for one that only Smoobu has numbered."""
    if booking.numbered_by != SMOOBU:
        return booking.numbered_by, booking.code
    known = session.get(SmoobuBooking, int(booking.code)) if booking.code.isdigit() else None
    return None if known is None else (known.channel, known.code)


def _told(booking: Reservation, channel: str, code: str) -> ReservationTold:
    now = datetime.now(UTC)
    return ReservationTold(
        told_by="mail",
        # A clock that goes fast would make this mail the newest for ever.
        told_at=min(booking.received_at or now, now),
        channel=channel,
        code=code,
        change=Change(booking.kind),
        guest_name=booking.guest_name,
        phone=booking.phone,
        email=booking.email,
        language=booking.language,
        unit=booking.unit,
        arrival=booking.arrival,
        departure=booking.departure,
        party=booking.party,
    )

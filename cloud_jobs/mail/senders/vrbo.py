"""Vrbo (once HomeAway): one English subject was seen, of a booking that needed no confirming.

The changed and cancelled ones are inferred; other languages are not known and go to a person.
"""

import re

from cloud_jobs.mail import amounts, dates, people
from cloud_jobs.mail.labels import agreed, believed, claims, contradict, labels
from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import other
from cloud_jobs.mail.results import VRBO, Doubt, ForAPerson, Kind, Reservation, Result
from cloud_jobs.mail.templates import Subject, matched

DOMAINS = frozenset({"messages.homeaway.com"})

SUBJECTS = (
    Subject("Instant Booking from {guest}: {dates} - Vrbo #{listing}", "en", Kind.NEW),
    Subject("Booking modified by {guest}: {dates} - Vrbo #{listing}", "en", Kind.CHANGED, True),
    Subject("Booking cancelled by {guest}: {dates} - Vrbo #{listing}", "en", Kind.CANCELLED, True),
    Subject("Booking canceled by {guest}: {dates} - Vrbo #{listing}", "en", Kind.CANCELLED, True),
)
_LABELS = labels(
    code="Reservation ID",
    dates="Dates",
    party="Guests",
    guest="Traveler Name|Traveller Name",
    phone="Traveler Phone|Traveller Phone",  # inferred
    total="Traveler Payment|Traveller Payment",  # inferred
)
_CODE = re.compile(r"HA-[A-Z0-9]{4,10}")


def recognises(subject: str) -> bool:
    return matched(SUBJECTS, subject) is not None


def read(mail: Mail) -> Result:
    found = matched(SUBJECTS, mail.subject)
    if found is None:
        return other(mail, VRBO)
    claimed = claims(mail.bodies, _LABELS, spaced=True)
    body = believed(claimed)
    guests = [people.name(found.part("guest")), people.name(body.get("guest"))]
    if contradict(guests) or contradict(claimed.get("code", [])):
        return ForAPerson(Doubt.CONTRADICTION)
    code = body.get("code", "").upper()
    if not _CODE.fullmatch(code):
        return ForAPerson(Doubt.NO_CODE)
    language = found.language
    subject = dates.stay(found.part("dates") or "", language, mail.sent_at)
    below = dates.stay(body.get("dates", ""), language, mail.sent_at)
    arrival, departure = dates.in_order(
        dates.same(subject[0], below[0]), dates.same(subject[1], below[1])
    )
    amount, currency = amounts.price(body.get("total"), language)
    return Reservation(
        channel=VRBO,
        numbered_by=VRBO,
        code=code,
        kind=found.kind,
        mail_language=language,
        guest_name=agreed(guests),
        phone=people.phone(body.get("phone")),
        unit=found.part("unit"),
        arrival=arrival,
        departure=departure,
        party=amounts.party(body.get("party")),
        price=amount,
        currency=currency,
        received_at=mail.sent_at,
    )

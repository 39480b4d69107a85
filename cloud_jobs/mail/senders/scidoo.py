"""Scidoo, an Italian PMS: labels and values parted by tabs, with all that a reception needs.

Seen: a confirmed booking of Booking.com. The other states are inferred. The number is the
channel's own, so it is the same booking as that of the channel's mail.
"""

import re

from cloud_jobs.mail import amounts, dates, people
from cloud_jobs.mail.labels import believed, claims, contradict, labels
from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import other
from cloud_jobs.mail.results import (
    AIRBNB,
    BOOKING_COM,
    EXPEDIA,
    SCIDOO,
    VRBO,
    Doubt,
    ForAPerson,
    Kind,
    Reservation,
    Result,
)
from cloud_jobs.mail.templates import Subject, matched
from cloud_jobs.mail.words import fold

DOMAINS = frozenset({"scidoo.com"})
LANGUAGE = "it"

_STATES = (
    ("Confermata", Kind.NEW, False),
    ("Modificata", Kind.CHANGED, True),
    ("Cancellata", Kind.CANCELLED, True),
    ("Annullata", Kind.CANCELLED, True),
)
_SHAPES = (" - Prenotazione ID {code} - {channel}", " - Prenotazione ID {code}")
SUBJECTS = tuple(
    Subject(f"{state}{shape}", LANGUAGE, kind, inferred)
    for state, kind, inferred in _STATES
    for shape in _SHAPES
)
_LABELS = labels(
    code="ID Voucher",
    unit="Camera/Alloggio",
    party="Ospiti",
    guest="Nome Ospite",
    arrival="Data di Check-in",
    departure="Data di Check-out",
    total="Totale Prenotazione",
    price="Prezzo",
    email="Email",
    mobile="Cellulare",
    phone="Telefono",
)
_CHANNELS = {"booking": BOOKING_COM, "booking com": BOOKING_COM, "airbnb": AIRBNB}
_CHANNELS |= {"expedia": EXPEDIA, "vrbo": VRBO}
# In the notes that Booking.com hands on.
_GUESTS_LANGUAGE = re.compile(r"\bLANGUAGE: ([A-Z]{2})\b")


def recognises(subject: str) -> bool:
    return matched(SUBJECTS, subject) is not None


def read(mail: Mail) -> Result:
    found = matched(SUBJECTS, mail.subject)
    if found is None:
        return other(mail, SCIDOO)
    claimed = claims(mail.bodies, _LABELS)
    body = believed(claimed)
    code = found.part("code")
    if contradict([code, *claimed.get("code", [])]):
        return ForAPerson(Doubt.CONTRADICTION)
    if code is None:
        return ForAPerson(Doubt.NO_CODE)
    arrival, departure = dates.in_order(
        dates.one_date(body.get("arrival"), LANGUAGE, None),
        dates.one_date(body.get("departure"), LANGUAGE, None),
    )
    channel = _channel(found.part("channel"))
    amount, currency = amounts.price(body.get("total") or body.get("price"), LANGUAGE)
    languages = set(_GUESTS_LANGUAGE.findall(mail.text))
    return Reservation(
        channel=channel,
        numbered_by=channel,
        code=code.upper(),
        kind=found.kind,
        mail_language=LANGUAGE,
        guest_name=people.name(body.get("guest")),
        phone=people.phone(body.get("mobile")) or people.phone(body.get("phone")),
        email=people.address(body.get("email")),
        unit=body.get("unit"),
        arrival=arrival,
        departure=departure,
        party=amounts.party(body.get("party")),
        language=languages.pop().lower() if len(languages) == 1 else None,
        price=amount,
        currency=currency,
        received_at=mail.sent_at,
    )


def _channel(name: str | None) -> str:
    return _CHANNELS.get(fold(name), name.lower()) if name else SCIDOO

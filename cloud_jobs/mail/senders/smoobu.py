"""Smoobu, which tells of the bookings of all channels: Expedia's come by no other mail.

Seen in Spanish: "Nueva reserva" and "Nueva cancelación", and the labels below them. All else is
inferred. The number is Smoobu's own, from the link to its page: the channel's isn't in the mail.
"""

import re

from cloud_jobs.mail import amounts, dates, people
from cloud_jobs.mail.labels import agreed, believed, claims, contradict, labels
from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import other
from cloud_jobs.mail.results import (
    AIRBNB,
    BOOKING_COM,
    EXPEDIA,
    SMOOBU,
    VRBO,
    Doubt,
    ForAPerson,
    Kind,
    Reservation,
    Result,
)
from cloud_jobs.mail.templates import Subject, matched
from cloud_jobs.mail.words import fold

DOMAINS = frozenset({"smoobu.com"})

_WORDINGS = (
    ("Nueva reserva para", "es", Kind.NEW, False),
    ("Nueva modificación para", "es", Kind.CHANGED, True),
    ("Nueva cancelación para", "es", Kind.CANCELLED, False),
    ("Nuova prenotazione per", "it", Kind.NEW, True),
    ("Nuova modifica per", "it", Kind.CHANGED, True),
    ("Nuova cancellazione per", "it", Kind.CANCELLED, True),
    ("New booking for", "en", Kind.NEW, True),
    ("New change for", "en", Kind.CHANGED, True),
    ("New cancellation for", "en", Kind.CANCELLED, True),
    ("Neue Buchung für", "de", Kind.NEW, True),
    ("Neue Änderung für", "de", Kind.CHANGED, True),
    ("Neue Stornierung für", "de", Kind.CANCELLED, True),
    ("Nouvelle réservation pour", "fr", Kind.NEW, True),
    ("Nouvelle modification pour", "fr", Kind.CHANGED, True),
    ("Nouvelle annulation pour", "fr", Kind.CANCELLED, True),
)
# The channel may be missing.
_SHAPES = ("{unit}: {dotted}, {guest} ({channel})", "{unit}: {dotted}, {guest}", "{unit}: {dotted}")
SUBJECTS = tuple(
    Subject(f"{words} {shape}", language, kind, inferred)
    for words, language, kind, inferred in _WORDINGS
    for shape in _SHAPES
)
_LABELS = labels(
    arrival="Llegada|Arrivo|Arrival|Anreise|Arrivée",
    departure="Salida|Partenza|Departure|Abreise|Départ",
    guest="Huésped|Ospite|Guest|Gast|Voyageur",
    party="Número|Numero|Number|Anzahl|Nombre",
)
_PAGE = re.compile(r"https://login\.smoobu\.com/(?:[a-z]{2}/)?booking/detail/(\d{1,12})\b")
# As the channels are called in Smoobu, folded. Others keep the name that they have there.
_CHANNELS = {
    "booking": BOOKING_COM,
    "booking com": BOOKING_COM,
    "airbnb": AIRBNB,
    "vrbo": VRBO,
    "homeaway": VRBO,
    "expedia": EXPEDIA,
    "expedia com": EXPEDIA,
}


def recognises(subject: str) -> bool:
    return matched(SUBJECTS, subject) is not None


def read(mail: Mail) -> Result:
    found = matched(SUBJECTS, mail.subject)
    if found is None:
        return other(mail, SMOOBU)
    codes = _PAGE.findall(mail.links)
    if contradict(codes):
        return ForAPerson(Doubt.CONTRADICTION)
    code = agreed(codes)
    if code is None:
        return ForAPerson(Doubt.NO_CODE)
    body = believed(claims(mail.bodies, _LABELS))
    language = found.language
    first, last = dates.stay(found.part("dates") or "", language, None)
    arrival, departure = dates.in_order(
        dates.same(first, dates.one_date(body.get("arrival"), language, None)),
        dates.same(last, dates.one_date(body.get("departure"), language, None)),
    )
    channel = found.part("channel")
    return Reservation(
        channel=_CHANNELS.get(fold(channel), channel.lower()) if channel else SMOOBU,
        numbered_by=SMOOBU,
        code=code,
        kind=found.kind,
        mail_language=language,
        guest_name=people.name(found.part("guest")) or people.name(body.get("guest")),
        unit=found.part("unit"),
        arrival=arrival,
        departure=departure,
        party=amounts.party(body.get("party")),
        received_at=mail.sent_at,
    )

"""Airbnb: dates mostly without a year, a total for the guest and one for the host, no phone.

As hosts have shown them: "Reservation confirmed" in Italian, English and German, and the bodies in
English, German and French. What is marked as inferred was never seen, the changes and cancellations
of every language among it.
"""

import re

from cloud_jobs.mail import amounts, dates, people
from cloud_jobs.mail.labels import Rows, agreed, believed, claims, contradict, labels
from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import other
from cloud_jobs.mail.results import AIRBNB, Doubt, ForAPerson, Kind, Reservation, Result
from cloud_jobs.mail.templates import Subject, matched
from cloud_jobs.mail.words import fold

DOMAINS = frozenset({"airbnb.com"})

SUBJECTS = (
    Subject("Prenotazione confermata - {guest} arriverà il {date}", "it", Kind.NEW),
    Subject("Modifica confermata - {guest} arriverà il {date}", "it", Kind.CHANGED, inferred=True),
    Subject("Cancellata: prenotazione {code} per {dates}", "it", Kind.CANCELLED, inferred=True),
    Subject("Reservation confirmed - {guest} arrives {date}", "en", Kind.NEW),
    Subject("Reservation changed - {guest} arrives {date}", "en", Kind.CHANGED, inferred=True),
    Subject("Canceled: Reservation {code} for {dates}", "en", Kind.CANCELLED, inferred=True),
    Subject("Cancelled: Reservation {code} for {dates}", "en", Kind.CANCELLED, inferred=True),
    Subject("Buchung bestätigt - {guest} kommt am {date} an", "de", Kind.NEW),
    Subject("Buchung geändert - {guest} kommt am {date} an", "de", Kind.CHANGED, inferred=True),
    Subject("Storniert: Buchung {code} für {dates}", "de", Kind.CANCELLED, inferred=True),
    Subject("Réservation confirmée - {guest} arrive le {date}", "fr", Kind.NEW, inferred=True),
    Subject("Réservation confirmée : {guest} arrive le {date}", "fr", Kind.NEW, inferred=True),
    Subject("Réservation modifiée : {guest} arrive le {date}", "fr", Kind.CHANGED, inferred=True),
    Subject("Annulée : réservation {code} pour {dates}", "fr", Kind.CANCELLED, inferred=True),
    Subject("Reserva confirmada - {guest} llega el {date}", "es", Kind.NEW, inferred=True),
    Subject("Reserva confirmada: {guest} llega el {date}", "es", Kind.NEW, inferred=True),
    Subject("Reserva modificada: {guest} llega el {date}", "es", Kind.CHANGED, inferred=True),
    Subject("Cancelada: reserva {code} para {dates}", "es", Kind.CANCELLED, inferred=True),
)

_LABELS = labels(
    # English, German and French as seen; Italian and Spanish inferred.
    code="Codice di conferma|Confirmation code|Bestätigungs-Code|Bestätigungscode"
    "|Code de confirmation|Código de confirmación",
    arrival="Check-in|Arrivo|Arrivée|Llegada",
    departure="Checkout|Check-out|Partenza|Départ|Salida",
    party="Ospiti|Guests|Gäste|Voyageurs|Huéspedes",
)
# What stands above the guest's total; the host's own comes after it.
_GUEST_PAID = labels(
    paid="L'ospite ha pagato|Guest paid|Gast hat bezahlt|Le voyageur a payé|El huésped ha pagado"
)["paid"]
_TOTALS = frozenset({"total", "totale", "gesamt"})

_CODE = re.compile(r"HM[A-Z0-9]{8}")
_SITE = r"https://(?:www\.)?airbnb\.[a-z.]{2,6}"
_CODE_LINK = re.compile(rf"{_SITE}/hosting/reservations/details/(HM[A-Z0-9]{{8}})")
_LISTING_LINK = re.compile(rf"{_SITE}/rooms/(\d{{4,20}})\b")


def recognises(subject: str) -> bool:
    return matched(SUBJECTS, subject) is not None


def read(mail: Mail) -> Result:
    found = matched(SUBJECTS, mail.subject)
    if found is None:
        return other(mail, AIRBNB)
    claimed = claims(mail.bodies, _LABELS)
    body = believed(claimed)
    codes = [found.part("code"), *claimed.get("code", []), *_CODE_LINK.findall(mail.links)]
    if contradict(codes):
        return ForAPerson(Doubt.CONTRADICTION)
    code = (agreed(codes) or "").upper()
    if not _CODE.fullmatch(code):
        return ForAPerson(Doubt.NO_CODE)
    language = found.language
    first, last = dates.stay(found.part("dates") or "", language, mail.sent_at)
    arrival = dates.same(
        first,
        dates.one_date(found.part("date"), language, mail.sent_at),
        dates.one_date(body.get("arrival"), language, mail.sent_at),
    )
    departure = dates.same(last, dates.departure(body.get("departure"), language, arrival))
    arrival, departure = dates.in_order(arrival, departure)
    amount, currency = amounts.price(_guests_total(mail.bodies), language)
    return Reservation(
        channel=AIRBNB,
        numbered_by=AIRBNB,
        code=code,
        kind=found.kind,
        mail_language=language,
        guest_name=people.name(found.part("guest")),
        unit=agreed(_LISTING_LINK.findall(mail.links)),
        arrival=arrival,
        departure=departure,
        party=amounts.party(body.get("party")),
        price=amount,
        currency=currency,
        received_at=mail.sent_at,
    )


def _guests_total(bodies: list[Rows]) -> str | None:
    """The first total below the one heading of what the guest paid. None if it stands there twice:
    a guest's message is in the mail too."""
    for rows in bodies:
        paid = [number for number, row in enumerate(rows) if fold(row[0]) in _GUEST_PAID]
        if len(paid) == 1:
            below = (row for row in rows[paid[0] :] if fold(row[0]).partition(" ")[0] in _TOTALS)
            return " ".join(next(below, [])) or None
    return None

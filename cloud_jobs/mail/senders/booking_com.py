"""Booking.com: the number and the arrival are in the subject, and often nothing else is anywhere.

Booking.com publishes no format. The Italian, English and French subjects are as hosts have shown
them, with the day before the month and, for hosts in America, after it; in place of the date some
have the property's name. Most mails say no more than "best viewed as HTML" and a link to the
extranet. Where there is a table of labels it is read; its wording is inferred from mails in English
and French.
"""

from cloud_jobs.mail import amounts, dates, people
from cloud_jobs.mail.labels import agreed, believed, claims, contradict, labels
from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.notices import other
from cloud_jobs.mail.results import BOOKING_COM, Doubt, ForAPerson, Kind, Reservation, Result
from cloud_jobs.mail.templates import Subject, matched

DOMAINS = frozenset({"booking.com"})

_WORDINGS = (
    ("Hai una nuova prenotazione!", "it", Kind.NEW, False),
    ("Nuova prenotazione!", "it", Kind.NEW, False),
    ("Nuova prenotazione last minute!", "it", Kind.NEW, False),
    ("Prenotazione modificata!", "it", Kind.CHANGED, False),
    ("Prenotazione cancellata!", "it", Kind.CANCELLED, False),
    ("New booking!", "en", Kind.NEW, False),
    ("New last-minute booking!", "en", Kind.NEW, False),
    ("Modified booking!", "en", Kind.CHANGED, False),
    ("Cancelled booking!", "en", Kind.CANCELLED, False),
    ("Canceled booking!", "en", Kind.CANCELLED, True),
    ("Neue Buchung!", "de", Kind.NEW, True),
    ("Neue Last-Minute-Buchung!", "de", Kind.NEW, True),
    ("Geänderte Buchung!", "de", Kind.CHANGED, True),
    ("Stornierte Buchung!", "de", Kind.CANCELLED, True),
    ("Nouvelle réservation !", "fr", Kind.NEW, False),
    ("Nouvelle réservation de dernière minute !", "fr", Kind.NEW, True),
    ("Réservation modifiée !", "fr", Kind.CHANGED, True),
    ("Réservation annulée !", "fr", Kind.CANCELLED, False),
    ("¡Nueva reserva!", "es", Kind.NEW, True),
    ("Nueva reserva!", "es", Kind.NEW, True),
    ("Nueva reserva de última hora!", "es", Kind.NEW, True),
    ("Reserva modificada!", "es", Kind.CHANGED, True),
    ("Reserva cancelada!", "es", Kind.CANCELLED, True),
)
_SHAPES = (" ({number}, {date})", " ({number})", "")
SUBJECTS = tuple(
    Subject(f"Booking.com - {words}{shape}", language, kind, inferred)
    for words, language, kind, inferred in _WORDINGS
    for shape in _SHAPES
)

_LABELS = labels(
    code="Numero di prenotazione|Numero di conferma|Booking number|Reservation number"
    "|Confirmation number|Buchungsnummer|Numéro de réservation|Número de reserva",
    guest="Nome dell'ospite|Guest name|Name des Gastes|Nom du client|Nombre del cliente"
    "|Nombre del huésped",
    arrival="Check-in|Arrivo|Arrival|Anreise|Arrivée|Llegada|Entrada",
    departure="Check-out|Partenza|Departure|Abreise|Départ|Salida",
    unit="Camera|Alloggio|Room|Unit|Zimmer|Unterkunft|Chambre|Hébergement|Habitación|Alojamiento",
    party="Numero di ospiti|Number of guests|Anzahl der Gäste|Nombre de personnes"
    "|Número de huéspedes|Número de personas",
    price="Prezzo totale|Total price|Gesamtpreis|Prix total|Precio total",
)


def recognises(subject: str) -> bool:
    return matched(SUBJECTS, subject) is not None


def read(mail: Mail) -> Result:
    found = matched(SUBJECTS, mail.subject)
    if found is None:
        return other(mail, BOOKING_COM)
    claimed = claims(mail.bodies, _LABELS)
    body = believed(claimed)
    codes = [found.part("code"), *claimed.get("code", [])]
    if contradict(codes):
        return ForAPerson(Doubt.CONTRADICTION)
    code = agreed(codes)
    if code is None or not code.isascii() or not code.isdecimal():
        return ForAPerson(Doubt.NO_CODE)
    language = found.language
    amount, currency = amounts.price(body.get("price"), language)
    arrival = dates.same(
        dates.one_date(found.part("date"), language, None),
        dates.one_date(body.get("arrival"), language, None),
    )
    departure = dates.one_date(body.get("departure"), language, None)
    arrival, departure = dates.in_order(arrival, departure)
    return Reservation(
        channel=BOOKING_COM,
        numbered_by=BOOKING_COM,
        code=code,
        kind=found.kind,
        mail_language=language,
        guest_name=people.name(body.get("guest")),
        unit=body.get("unit"),
        arrival=arrival,
        departure=departure,
        party=amounts.party(body.get("party")),
        price=amount,
        currency=currency,
        received_at=mail.sent_at,
    )

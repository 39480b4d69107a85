"""Mails of the booking sites that are no reservations: codes, guests' messages, notices."""

from cloud_jobs.mail.message import Mail
from cloud_jobs.mail.results import Doubt, ForAPerson, NotAReservation, Nothing, Result
from cloud_jobs.mail.words import fold, tidy

# All compared with the folded subject, as whole words: "codice di verifica" is in "Il tuo codice di
# verifica". The five languages, in the order it, en, de, fr, es; all but English is inferred.
_SECRETS = (
    *("codice di verifica", "codice di sicurezza", "codice di accesso", "reimposta la password"),
    *("verification code", "security code", "one time code", "login code", "sign in code"),
    *("verify your account", "reset your password", "confirm your email"),
    *("verifizierungscode", "sicherheitscode", "bestatigungscode", "anmeldecode", "einmalcode"),
    *("code de verification", "code de securite", "code de connexion", "code a usage unique"),
    *("codigo de verificacion", "codigo de seguridad", "codigo de acceso", "codigo de un solo uso"),
)
# How the subject of a guest's message begins.
_MESSAGES = (
    *("abbiamo ricevuto questo messaggio da", "nuovo messaggio da", "re prenotazione per"),
    *("we received this message from", "new message from", "re reservation for"),
    *("re reservation at", "re inquiry for"),
    *("wir haben diese nachricht erhalten von", "neue nachricht von", "re buchung fur"),
    *("nous avons recu ce message de", "nouveau message de", "re reservation pour"),
    *("hemos recibido este mensaje de", "nuevo mensaje de", "re reserva para"),
)
# What nobody need act on. A payment that failed is not among it.
_NOTICES = (
    *("recensione", "fattura", "accredito", "newsletter", "promemoria"),
    *("review", "invoice", "payout", "webinar", "reminder", "tips", "genius"),
    *("performance", "bewertung", "rechnung", "auszahlung", "erinnerung"),
    *("commentaire", "avis", "facture", "versement", "rappel"),
    *("evaluacion", "resena", "factura", "abono", "recordatorio"),
)
# The line after which the guest's own words stand, by how it ends.
_WROTE = ("ha scritto", "wrote", "schrieb", "hat geschrieben", "a ecrit", "ha escrito")
_ANSWER_ABOVE = "##-"
LONGEST_MESSAGE = 4_000


def is_secret(subject: str) -> bool:
    """Whether the mail is a key to an account: its text is to be kept nowhere."""
    return _has(fold(subject), _SECRETS)


def other(mail: Mail, channel: str) -> Result:
    """What an authentic mail is that is no reservation: anything not known is for a person."""
    subject = fold(mail.subject)
    if subject.startswith(_MESSAGES):
        return guest_message(mail, channel)
    if _has(subject, _NOTICES):
        return NotAReservation(Nothing.NOTICE)
    return ForAPerson(Doubt.UNKNOWN_KIND)


def guest_message(mail: Mail, channel: str, code: str | None = None) -> NotAReservation:
    return NotAReservation(Nothing.GUEST_MESSAGE, channel, code, _own_words(mail.text))


def _own_words(text: str) -> str:
    """The guest's words; all of it, where nothing tells them from the site's."""
    lines = [line.strip() for line in tidy(text).splitlines()]
    lines = [line for line in lines if line and not line.startswith(_ANSWER_ABOVE)]
    begins = (n for n, line in enumerate(lines) if line.endswith(":") and _ends_so(line))
    first = next(begins, -1) + 1
    return "\n".join(lines[first:])[:LONGEST_MESSAGE]


def _ends_so(line: str) -> bool:
    return fold(line[-40:]).endswith(_WROTE)


def _has(subject: str, phrases: tuple[str, ...]) -> bool:
    padded = f" {subject} "
    return any(f" {phrase} " in padded for phrase in phrases)

"""From a mail's bytes to a reservation, to nothing, or to a person's desk."""

from collections.abc import Callable
from datetime import datetime

from cloud_jobs.mail.authentication import authentic
from cloud_jobs.mail.message import Mail, opened
from cloud_jobs.mail.notices import is_secret
from cloud_jobs.mail.results import Doubt, ForAPerson, NotAReservation, Nothing, Result
from cloud_jobs.mail.senders import airbnb, booking_com, relays, scidoo, smoobu, vrbo

_SENDERS = (booking_com, airbnb, vrbo, smoobu, scidoo)
_READERS: dict[str, Callable[[Mail], Result]] = {
    **{domain: sender.read for sender in _SENDERS for domain in sender.DOMAINS},
    **dict.fromkeys(relays.CHANNELS, relays.read),
}
# What somebody would call themselves who wants to be taken for one of them.
_BRANDS = ("booking.com", "airbnb", "vrbo", "homeaway", "expedia", "smoobu", "scidoo")


def read(raw: bytes, *, authserv_id: str, received_at: datetime | None = None) -> Result:
    """What a mail says. Never raises, whatever the bytes.

    ``authserv_id`` is the name that the desk's own mail server gives itself in the
    Authentication-Results that it adds; an empty one believes nobody. ``received_at`` (aware), the
    mailbox's own date of the mail, counts where the mail has no good ``Date``.
    """
    mail = opened(raw, received_at)
    if isinstance(mail, Doubt):
        return ForAPerson(mail)
    if is_secret(mail.subject):
        return NotAReservation(Nothing.VERIFICATION_CODE)
    reader = _READERS.get(mail.domain)
    if reader is None:
        return _of_a_stranger(mail)
    if not authentic(mail.authentication, mail.domain, authserv_id):
        return ForAPerson(Doubt.NOT_AUTHENTICATED)
    return reader(mail)


def _of_a_stranger(mail: Mail) -> Result:
    """Nobody we know: worth a look only where it looks like somebody we know."""
    shown = f"{mail.domain} {mail.display_name}".lower()
    if any(brand in shown for brand in _BRANDS):
        return ForAPerson(Doubt.LOOKALIKE)
    if any(sender.recognises(mail.subject) for sender in _SENDERS):
        return ForAPerson(Doubt.LOOKALIKE)
    return NotAReservation(Nothing.UNKNOWN_SENDER)

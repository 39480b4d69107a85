"""SEND_MESSAGE, SEND_BATCH_MESSAGES and TRANSLATE_AND_SEND.

They only queue: when a message goes, and whether, the rules of sending decide (`app.messages`).
"""

from datetime import datetime

from app.commands.filling import fill
from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import SendBatchMessages, SendMessage, TranslateAndSend
from app.commands.whom import booking_of, guest_of, language_of
from app.conversation import alerting
from app.conversation.alerting import Alert
from app.conversation.language import Language, detect
from app.guests.booking import Booking
from app.guests.guest import Guest
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Outgoing, Text
from app.store.database import Connection


def send_message(
    office: Office, connection: Connection, order: Order, payload: SendMessage
) -> Done:
    """Queue a message as a notice; the result names its row."""
    outbox_id = _queue(office, connection, f"command:{order.command_id}", payload)
    return Done({"queued": [outbox_id]}, (outbox_id,))


def send_batch_messages(
    office: Office, connection: Connection, order: Order, payload: SendBatchMessages
) -> Done:
    """Queue all of them; the result names their rows in the same order."""
    queued = tuple(
        _queue(office, connection, f"command:{order.command_id}:{place}", message)
        for place, message in enumerate(payload.messages)
    )
    return Done({"queued": list(queued)}, queued)


def translate_and_send(
    office: Office, connection: Connection, order: Order, payload: TranslateAndSend
) -> Done:
    """Queue a message that is in the guest's language, or hand it to a person.

    A template is in it by itself. A free text goes if it is written in it; nothing on the desk
    translates, and an untranslated text must not go as if it were.
    """
    guest = guest_of(office, payload)
    written = detect(payload.text) if payload.text is not None else None
    if payload.text is None or (written is not None and written == guest.language):
        outbox_id = _queue(office, connection, f"command:{order.command_id}", payload)
        return Done({"queued": [outbox_id], "handed_to_person": False}, (outbox_id,))
    _call_person(office, connection, order, guest, payload.text)
    reason = "guest_language_unknown" if guest.language is None else "no_translator"
    return Done({"queued": [], "handed_to_person": True, "reason": reason})


def _queue(office: Office, connection: Connection, key: str, payload: SendMessage) -> int:
    guest = guest_of(office, payload)
    language = language_of(office, guest)
    outbox_id = office.outbox.add(
        connection,
        Draft(
            key=key,
            phone=guest.phone,
            kind=Kind.NOTICE,
            message=_message(office, connection, payload, guest, language),
            language=language,
            dedupe_key=payload.dedupe_key,
            not_before=payload.not_before,
        ),
    )
    if outbox_id is None:
        raise RefusedError("done_before", "a message of this command's id is in the outbox already")
    return outbox_id


def _message(
    office: Office, connection: Connection, payload: SendMessage, guest: Guest, language: Language
) -> Outgoing:
    if payload.template is None:
        return Text(payload.text or "")
    booking = _stay(office, connection, payload, guest.phone)
    return fill(office, payload.template, guest, booking, language)


def _stay(
    office: Office, connection: Connection, payload: SendMessage, phone: str
) -> Booking | None:
    if payload.booking is not None:
        return booking_of(office, connection, phone, payload.booking)
    today = datetime.now(office.facts.time_zone).date()
    return next(iter(office.bookings.of_guest(phone, today)), None)


def _call_person(
    office: Office, connection: Connection, order: Order, guest: Guest, said: str
) -> None:
    office.alerts.raise_alert(
        connection,
        key=f"{Alert.TRANSLATE}:{order.command_id}",
        kind=Alert.TRANSLATE,
        guest=office.seal.index(guest.phone),
        text=alerting.text(
            Alert.TRANSLATE,
            office.facts.default_language,
            who=alerting.who(guest.name, guest.phone),
            spoken=guest.language or "?",
            said=said,
        ),
    )

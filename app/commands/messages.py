"""SEND_MESSAGE, SEND_BATCH_MESSAGES and TRANSLATE_AND_SEND.

They only queue: when a message goes, and whether, the rules of sending decide (`app.messages`).
"""

from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import SendBatchMessages, SendMessage, TemplateCall, TranslateAndSend
from app.conversation import alerting
from app.conversation.alerting import Alert
from app.conversation.language import Language, detect
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Outgoing, Template, Text
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
    wanted = _known_language(office, payload.phone)
    written = detect(payload.text) if payload.text is not None else None
    if payload.text is None or (written is not None and written == wanted):
        outbox_id = _queue(office, connection, f"command:{order.command_id}", payload)
        return Done({"queued": [outbox_id], "handed_to_person": False}, (outbox_id,))
    _call_person(office, connection, order, payload, wanted)
    reason = "guest_language_unknown" if wanted is None else "no_translator"
    return Done({"queued": [], "handed_to_person": True, "reason": reason})


def render(office: Office, call: TemplateCall, language: str) -> Template:
    """Fill a template in. Raises :class:`RefusedError` if it can't be filled so."""
    try:
        return office.catalogue.render(call.name, language, call.variables)
    except ValueError as error:
        # Names of templates and variables, never a value.
        raise RefusedError("template_not_usable", str(error)) from None


def language_of(office: Office, phone: str) -> Language:
    """The language to write in: the guest's; English for one that Portiere doesn't speak."""
    known = _known_language(office, phone)
    if known is None:
        return office.facts.default_language
    return Language(known) if known in list(Language) else Language.EN


def _queue(office: Office, connection: Connection, key: str, payload: SendMessage) -> int:
    language = language_of(office, payload.phone)
    message: Outgoing = Text(payload.text or "")
    if payload.template is not None:
        message = render(office, payload.template, language)
    outbox_id = office.outbox.add(
        connection,
        Draft(
            key=key,
            phone=payload.phone,
            kind=Kind.NOTICE,
            message=message,
            language=language,
            dedupe_key=payload.dedupe_key,
            not_before=payload.not_before,
        ),
    )
    if outbox_id is None:
        raise RefusedError("done_before", "a message of this command's id is in the outbox already")
    return outbox_id


def _known_language(office: Office, phone: str) -> str | None:
    guest = office.guests.find(phone)
    return guest.language if guest else None


def _call_person(
    office: Office,
    connection: Connection,
    order: Order,
    payload: TranslateAndSend,
    wanted: str | None,
) -> None:
    guest = office.guests.find(payload.phone)
    office.alerts.raise_alert(
        connection,
        key=f"{Alert.TRANSLATE}:{order.command_id}",
        kind=Alert.TRANSLATE,
        guest=office.seal.index(payload.phone),
        text=alerting.text(
            Alert.TRANSLATE,
            office.facts.default_language,
            who=alerting.who(guest.name if guest else None, payload.phone),
            spoken=wanted or "?",
            said=payload.text or "",
        ),
    )

"""Every command: its name, its schema, its handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.commands import desk, messages, people, queues, schemas, stays, upsell
from app.commands.fields import Payload
from app.commands.office import Handler


class CommandName(StrEnum):
    """What the cloud may ask for."""

    SEND_MESSAGE = "SEND_MESSAGE"
    SEND_BATCH_MESSAGES = "SEND_BATCH_MESSAGES"
    TRANSLATE_AND_SEND = "TRANSLATE_AND_SEND"
    CREATE_GUEST = "CREATE_GUEST"
    UPDATE_GUEST = "UPDATE_GUEST"
    UPSERT_BOOKING = "UPSERT_BOOKING"
    CANCEL_BOOKING = "CANCEL_BOOKING"
    QUEUE_UPSELL = "QUEUE_UPSELL"
    ALERT_DESK = "ALERT_DESK"
    PAUSE = "PAUSE"
    RESUME = "RESUME"


@dataclass(frozen=True)
class Command:
    """One command. ``handler`` is given a payload of ``schema``, in the transaction that marks the
    command done."""

    schema: type[Payload]
    handler: Handler[Any]


COMMANDS: Final[Mapping[CommandName, Command]] = {
    CommandName.SEND_MESSAGE: Command(schemas.SendMessage, messages.send_message),
    CommandName.SEND_BATCH_MESSAGES: Command(
        schemas.SendBatchMessages, messages.send_batch_messages
    ),
    CommandName.TRANSLATE_AND_SEND: Command(schemas.TranslateAndSend, messages.translate_and_send),
    CommandName.CREATE_GUEST: Command(schemas.CreateGuest, people.create_guest),
    CommandName.UPDATE_GUEST: Command(schemas.UpdateGuest, people.update_guest),
    CommandName.UPSERT_BOOKING: Command(schemas.UpsertBooking, stays.upsert_booking),
    CommandName.CANCEL_BOOKING: Command(schemas.CancelBooking, stays.cancel_booking),
    CommandName.QUEUE_UPSELL: Command(schemas.QueueUpsell, upsell.queue_upsell),
    CommandName.ALERT_DESK: Command(schemas.AlertDesk, desk.alert_desk),
    CommandName.PAUSE: Command(schemas.Pause, queues.pause),
    CommandName.RESUME: Command(schemas.Resume, queues.resume),
}

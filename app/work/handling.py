"""Answering a guest's message: from its inbox row to an outbox row."""

from dataclasses import dataclass

from app.conversation.concierge import answer
from app.conversation.language import Language
from app.conversation.property import Property
from app.messages.delivery import Delivering
from app.messages.events import Content, InboundMessage
from app.messages.inbox import Inbox, InboxRow, Outcome
from app.messages.outbox import Outbox, OutboxRow
from app.providers import spoki_events
from app.store.database import Database


@dataclass(frozen=True)
class Desk:
    """Everything the work needs."""

    database: Database
    inbox: Inbox
    outbox: Outbox
    delivering: Delivering
    facts: Property


@dataclass(frozen=True)
class Answered:
    """The answer, claimed for sending if it may go now, and the guest's next message to answer."""

    claimed: OutboxRow | None = None
    next_inbox_id: int | None = None


def answer_message(desk: Desk, inbox_id: int) -> Answered:
    """Write the answer to a guest's message, in the transaction that closes the message.

    The same transaction claims the answer for sending where nothing of the guest's is before it:
    one commit less until it goes. Nothing happens on a row that is done, or whose guest has an
    earlier one to be answered first.
    """
    row = desk.inbox.open_row(inbox_id)
    if row is None or row.guest is None:
        return Answered()
    content = _content(row)
    if not isinstance(content, InboundMessage):
        raise TypeError(f"inbox row {inbox_id} has a guest but is no message")
    known = desk.inbox.language_of(row.guest)
    reply = answer(content.text, desk.facts, Language(known) if known else None)
    outcome = Outcome(
        language=reply.language if reply.language_is_told else None,
        needs_person=reply.needs_person,
    )
    with desk.database.transaction() as connection:
        if not desk.inbox.close(connection, row.row_id, outcome):
            return Answered()
        outbox_id = desk.outbox.add(
            connection,
            key=f"reply-{content.message_id}",
            inbox_id=row.row_id,
            phone=content.phone,
            text=reply.text,
        )
        claimed = desk.outbox.claim_within(connection, outbox_id) if outbox_id else None
    return Answered(claimed, desk.inbox.next_of_guest(row.guest, after=row.row_id))


def _content(row: InboxRow) -> Content:
    return spoki_events.parse(row.body).content

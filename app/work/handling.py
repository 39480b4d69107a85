"""Answering a guest's message: from its inbox rows to an outbox row, in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from app.conversation import brain, replying
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.turn import Agent, CallPerson, Offer, Reply, SetConsent, Turn
from app.events.hearing import tell_turn
from app.guests.guest import Consent, Guest
from app.messages.conversations import Conversation
from app.messages.events import InboundMessage
from app.messages.inbox import Inbox, Outcome
from app.messages.outbox import Draft, OutboxRow
from app.messages.outgoing import Kind, Text
from app.messages.pausing import Queue, is_paused
from app.store.database import Connection
from app.work.desk import Desk
from app.work.effects import Caller, carry_out
from app.work.helping import helped
from app.work.turns import Received, receive

# What is heard also from who speaks with a person, or wants to hear nothing more.
_ALWAYS_HEARD = frozenset({Intent.EMERGENCY, Intent.OPT_IN, Intent.OPT_OUT})


@dataclass(frozen=True)
class Answered:
    """The answer, claimed for sending if it may go now, and the guest's next message to answer."""

    claimed: OutboxRow | None = None
    next_inbox_id: int | None = None


def answer_message(desk: Desk, inbox_id: int) -> Answered:
    """Write the answer to a guest's message, in the transaction that closes the message.

    The same transaction carries out what the answer brings about and claims it for sending where
    nothing of the guest's is before it: one commit less until it goes. Nothing happens on a row
    that is done, or whose guest has an earlier one to be answered first. While answers are paused
    only an emergency is answered, out of its turn; and so it is in the time of doubt after a
    takeover (`app.messages.doubt`), whatever of its guest's is left alone.
    """
    is_held = is_paused(desk.database.connection, Queue.ANSWERS)
    row = desk.inbox.open_row(inbox_id, in_turn=not is_held)
    if row is None and desk.leadership.in_doubt():
        # What they wrote before may be answered already and is left alone; who is in need isn't.
        is_held, row = True, desk.inbox.open_row(inbox_id, in_turn=False)
    if row is None or row.guest is None:
        return Answered()
    received = receive(desk.inbox, row)
    if received is None:
        return Answered()
    message = received.message
    known = desk.guests.find(message.phone)
    talk = desk.conversations.of(row.guest)
    if is_held and not _is_emergency(desk, message, known, talk):
        return Answered()
    reply = _muted(compose(desk, inbox_id, message, known, talk), talk, known)
    with desk.database.transaction() as connection:
        if reply.agent is not Agent.EMERGENCY and is_paused(connection, Queue.ANSWERS):
            return Answered()  # paused since a moment ago
        if not _close(desk.inbox, connection, received, reply):
            return Answered()
        claimed = _answer(desk, connection, row.guest, received, reply)
        tell_turn(desk.events, connection, row, message, reply)
    return Answered(claimed, desk.inbox.next_of_guest(row.guest, after=received.rows[-1]))


def compose(
    desk: Desk, inbox_id: int, message: InboundMessage, known: Guest | None, talk: Conversation
) -> Reply:
    """What is said to ``message``, and what it would bring about."""
    turn = _turn(desk, message, known, talk)
    offline = replying.reply(turn, brain.understand(message.text).guesses, desk.facts)
    if talk.held_since is not None or _opted_out(known):
        return offline
    return helped(desk, inbox_id, turn, offline, (message.name, known.name if known else None))


def _opted_out(known: Guest | None) -> bool:
    return known is not None and known.consent is Consent.WITHDRAWN


def _is_emergency(
    desk: Desk, message: InboundMessage, known: Guest | None, talk: Conversation
) -> bool:
    guesses = brain.understand(message.text).guesses
    return replying.reply(_turn(desk, message, known, talk), guesses, desk.facts).agent is (
        Agent.EMERGENCY
    )


def _turn(desk: Desk, message: InboundMessage, known: Guest | None, talk: Conversation) -> Turn:
    now = datetime.now(desk.facts.time_zone)
    offer = desk.requests.open_offer(message.phone)
    return Turn(
        text=message.text,
        now=now,
        choice_id=message.choice_id,
        media=message.media,
        known_language=_spoken(known),
        topic=Intent(talk.topic) if talk.topic else None,
        bookings=tuple(desk.bookings.of_guest(message.phone, now.date())),
        offer=(
            Offer(offer.request_id, offer.kind, offer.price, offer.currency)
            if offer and offer.price is not None and offer.currency
            else None
        ),
    )


def _spoken(known: Guest | None) -> Language | None:
    """The language a guest is known by, if it is one of ours: a booking may come in any."""
    spoken = known.language if known else None
    return Language(spoken) if spoken in list(Language) else None


def _muted(reply: Reply, talk: Conversation, known: Guest | None) -> Reply:
    """The reply, without words where the bot is to be silent; a person reads what was written."""
    if reply.intents[0] in _ALWAYS_HEARD:
        return reply
    if talk.held_since is not None:
        return replace(reply, text="", choices=(), effects=())
    if _opted_out(known):
        # Nobody would see otherwise that they wrote.
        call = CallPerson(reply.intents[0])
        return replace(reply, text="", choices=(), effects=(call,))
    return reply


def _close(inbox: Inbox, connection: Connection, received: Received, reply: Reply) -> bool:
    """Close all rows of the turn; False if another worker was quicker."""
    outcome = Outcome(
        language=reply.language if reply.language_is_told else None,
        needs_person=any(isinstance(effect, CallPerson) for effect in reply.effects),
        note=None if reply.text else "the bot is silent here",
    )
    first, *rest = received.rows
    if not inbox.close(connection, first, outcome):
        return False
    for row_id in rest:
        inbox.close(connection, row_id, replace(outcome, note="answered with the first of them"))
    return True


def _answer(
    desk: Desk, connection: Connection, guest: bytes, received: Received, reply: Reply
) -> OutboxRow | None:
    message = received.message
    desk.guests.seen(
        connection,
        message.phone,
        message.name,
        reply.language if reply.language_is_told else None,
    )
    caller = Caller(guest, message.phone, message.text, received.rows[0])
    carry_out(desk, connection, caller, reply.effects)
    if not reply.text:
        return None
    desk.conversations.remember_topic(connection, guest, reply.intents[0])
    outbox_id = desk.outbox.add(
        connection,
        Draft(
            key=f"reply-{message.message_id}",
            phone=message.phone,
            kind=_kind(reply),
            message=Text(reply.text, reply.choices),
            language=reply.language,
            inbox_id=received.rows[0],
        ),
    )
    return desk.outbox.claim_within(connection, outbox_id) if outbox_id else None


def _kind(reply: Reply) -> Kind:
    if reply.agent is Agent.EMERGENCY:
        return Kind.EMERGENCY
    falls_silent = any(
        (isinstance(effect, CallPerson) and effect.silence)
        or (isinstance(effect, SetConsent) and not effect.given)
        for effect in reply.effects
    )
    return Kind.CONFIRMATION if falls_silent else Kind.REPLY

"""Letting the optional language model help with an answer, before its transaction begins."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from app.conversation.assisting import assist, helps_with
from app.conversation.model_calls import record
from app.conversation.turn import Reply, Turn
from app.work.desk import Desk

# From the model's last word to the commit of the answer.
_AFTERWARDS = timedelta(seconds=5)


def helped(
    desk: Desk, inbox_id: int, turn: Turn, offline: Reply, private: Iterable[str | None]
) -> Reply:
    """The reply with the model's help; ``offline`` where there is no model, or no use for one.

    Takes no longer than the model's timeout, and holds no transaction meanwhile.

    :param private: what tells who the guest is, which the message loses before it goes out.
    """
    if desk.model is None or desk.model.rests or not helps_with(turn, offline, desk.facts):
        return offline
    # Longer than the model may take: else the relay would let another worker ask it, too.
    desk.inbox.wait(inbox_id, datetime.now(UTC) + desk.model.timeout + _AFTERWARDS)
    codes = (booking.code for booking in turn.bookings)
    words = [word for word in (*private, *codes) if word]
    assisted = assist(desk.model, turn, offline, desk.facts, words)
    # Here and not with the answer: it was asked, and cost, whatever becomes of the answer.
    with desk.database.transaction(durable=False) as connection:
        record(connection, assisted.calls)
    return assisted.reply

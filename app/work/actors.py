"""The Dramatiq actors: a row id in, the next row ids out.

An actor on a finished row does nothing, so a message may come twice. One that fails leaves its row
open: the relay takes it up again.
"""

from collections.abc import Callable
from functools import partial

import dramatiq
import structlog
from dramatiq.middleware import Middleware

from app.messages.delivery import deliver, hand_over
from app.work.broker import QUEUE, DeskBroker
from app.work.commanding import carry_out_command, note_failure
from app.work.desk import Desk
from app.work.handling import answer_message
from app.work.jobs import Job
from app.work.relay import Dispatcher

log = structlog.get_logger()


class FailuresStayOpen(Middleware):
    """Notes a failure of an actor on its row, which says when it is tried again."""

    def __init__(self) -> None:
        self.desk: Desk | None = None

    def after_process_message(
        self,
        _broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Called by Dramatiq after each message."""
        if exception is None or self.desk is None or message.actor_name == Job.DELIVER_MESSAGE:
            return  # an outbox row that failed is in its state 'sending', which the sweep settles
        # Its kind alone: what an exception says may quote the guest.
        reason = type(exception).__name__
        if message.actor_name == Job.RUN_COMMAND:
            note_failure(self.desk, message.args[0], reason)
            return
        if not self.desk.inbox.postpone(message.args[0], reason):
            log.error("inbox_row_dead", inbox_id=message.args[0], reason=reason)


def register(broker: DeskBroker, desk: Desk, dispatcher: Dispatcher) -> None:
    """Declare the actors on ``broker``."""

    def deliver_message(outbox_id: int | None) -> None:
        # One after another here: a guest's messages keep their order, and a hop is saved.
        while outbox_id is not None:
            outbox_id = deliver(desk.delivering, outbox_id)

    def answer(inbox_id: int) -> None:
        done = answer_message(desk, inbox_id)
        if done.next_inbox_id is not None:
            dispatcher.put(Job.ANSWER_MESSAGE, done.next_inbox_id)
        if done.claimed is not None:
            deliver_message(hand_over(desk.delivering, done.claimed))

    def declare(job: Job, work: Callable[[int], None]) -> None:
        dramatiq.actor(actor_name=job, broker=broker, queue_name=QUEUE)(work)

    declare(Job.ANSWER_MESSAGE, answer)
    declare(Job.DELIVER_MESSAGE, deliver_message)
    declare(Job.RUN_COMMAND, partial(carry_out_command, desk, dispatcher))

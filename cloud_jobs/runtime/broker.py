"""The queue of runs: over the cloud layer's own Redis, as `app.queueing` has it.

One queue for all of the runtime's: what is paused is a row, which a worker looks at when it takes a
run up, and what waits for a long time waits in the store. A message holds the ids of a few runs.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import dramatiq
from dramatiq.middleware import Middleware

from app.queueing import Handing, WokenBroker, make_client

QUEUE: Final = "runs"
ACTOR: Final = "work"
# Of many at once, so many go into one message: what a message costs is shared by them. Of few,
# each has its own, so that no thread has two while another has none.
MOST_IN_MESSAGE: Final = 16
_MESSAGES: Final = 16


def make_broker(url: str, middleware: Iterable[Middleware] = ()) -> WokenBroker:
    """The broker for the Redis at ``url``."""
    return WokenBroker(make_client(url), QUEUE, list(middleware))


def messages(run_ids: Sequence[str]) -> list["dramatiq.Message[Any]"]:
    """The messages for runs, in their order."""
    each = max(1, min(MOST_IN_MESSAGE, len(run_ids) // _MESSAGES))
    return [_message(run_ids[at : at + each]) for at in range(0, len(run_ids), each)]


class Dispatcher(Handing[Sequence[str]]):
    """A thread that queues runs; called with their ids, after the commit that made them."""

    def __init__(self, broker: WokenBroker) -> None:
        super().__init__(broker, lambda gathered: messages(list(chain.from_iterable(gathered))))

    def __call__(self, run_ids: Sequence[str]) -> None:
        """Queue runs soon. Never blocks, never fails: the rows are there, the relay finds them."""
        if run_ids:
            self.hand(run_ids)


def _message(run_ids: Sequence[str]) -> "dramatiq.Message[Any]":
    return dramatiq.Message(
        queue_name=QUEUE, actor_name=ACTOR, args=tuple(run_ids), kwargs={}, options={}
    )

"""The kinds of work, as queue messages: a name and a row id.

The gateway puts them on the queue without knowing what they do; `app.work.actors` does them.
"""

from enum import StrEnum
from typing import Any

import dramatiq

from app.work.broker import QUEUE


class Job(StrEnum):
    """Names of the actors."""

    ANSWER_MESSAGE = "answer_message"
    DELIVER_MESSAGE = "deliver_message"
    RUN_COMMAND = "run_command"


def message(job: Job, row_id: int) -> dramatiq.Message[Any]:
    """The queue message that asks for ``job`` on the row ``row_id``."""
    return dramatiq.Message(queue_name=QUEUE, actor_name=job, args=(row_id,), kwargs={}, options={})

"""What the brain made of each message, and the shares that are counted from it (0 to 1)."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.conversation import brain
from app.conversation.intent import Intent
from tests.evaluation.messages import Message


@dataclass(frozen=True)
class Verdict:
    """A message, the brain's main guess with its score, and the time it took.

    ``worked`` is the processor's part of it: what another process took away isn't in it.
    """

    message: Message
    guess: Intent
    score: float
    took: timedelta
    worked: timedelta

    @property
    def right(self) -> bool:
        """Whether the guess is what a person says."""
        return self.guess is self.message.intent

    @property
    def abstained(self) -> bool:
        """Whether a person is called though the message asks for something."""
        return not self.right and self.guess is Intent.OTHER

    @property
    def wrong(self) -> bool:
        """Whether the guest is answered something else than they asked for."""
        return not self.right and self.guess is not Intent.OTHER


def judge(messages: Iterable[Message]) -> list[Verdict]:
    """Let the brain, warmed up, read each message."""
    return [_judge(message) for message in messages]


def _judge(message: Message) -> Verdict:
    since, worked_since = time.perf_counter(), time.thread_time()
    main = brain.understand(message.text).guesses[0]
    worked = timedelta(seconds=time.thread_time() - worked_since)
    took = timedelta(seconds=time.perf_counter() - since)
    return Verdict(message, main.intent, main.score, took, worked)


def accuracy(verdicts: Sequence[Verdict]) -> float:
    """The share whose main guess is right; `other` for a message of `other` is."""
    return _share(verdict.right for verdict in verdicts)


def wrong_answers(verdicts: Sequence[Verdict]) -> float:
    """The share of all messages that get an answer to something else."""
    return _share(verdict.wrong for verdict in verdicts)


def abstentions(verdicts: Sequence[Verdict]) -> float:
    """The share of all messages that a person is called for without need."""
    return _share(verdict.abstained for verdict in verdicts)


def emergency_recall(verdicts: Sequence[Verdict]) -> float:
    """The share of the emergencies that are taken for one."""
    return accuracy([one for one in verdicts if one.message.intent is Intent.EMERGENCY])


def _share(marks: Iterable[bool]) -> float:
    counted = list(marks)
    return sum(counted) / len(counted)

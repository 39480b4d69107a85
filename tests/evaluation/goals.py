"""What the brain must reach, beside what it reached."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles

from app.conversation.language import Language
from tests.evaluation import verdicts as shares
from tests.evaluation.memory import Memory
from tests.evaluation.verdicts import Verdict

# What is asked of a goal: how it is compared, by the sign that is printed.
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "≥": operator.ge,
    "≤": operator.le,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Measure:
    """A measured value in ``unit``, and its goal if it has one: a sign and a limit."""

    name: str
    value: float
    unit: str
    goal: tuple[str, float] | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is met; without one nothing is missed."""
        return self.goal is None or _COMPARED[self.goal[0]](self.value, self.goal[1])


def measures(verdicts: Sequence[Verdict], memory: Memory) -> list[Measure]:
    """Everything with a goal, and what is worth knowing beside it."""
    return [*_shares(verdicts), *_latency(verdicts), *_memory(memory)]


def _shares(verdicts: Sequence[Verdict]) -> list[Measure]:
    by_language = {
        language: [one for one in verdicts if one.message.language is language]
        for language in Language
    }
    return [
        _percent("accuracy", shares.accuracy(verdicts), ("≥", 92)),
        *(
            _percent(f"accuracy, {language}", shares.accuracy(of_it), ("≥", 88))
            for language, of_it in by_language.items()
        ),
        _percent("wrong answers", shares.wrong_answers(verdicts), ("≤", 3)),
        _percent("emergency recall", shares.emergency_recall(verdicts), ("≥", 99)),
        _percent("abstained", shares.abstentions(verdicts)),
    ]


def _percent(name: str, share: float, goal: tuple[str, float] | None = None) -> Measure:
    return Measure(name, 100 * share, "%", goal)


def _latency(verdicts: Sequence[Verdict]) -> list[Measure]:
    took = _percentiles(one.took for one in verdicts)
    worked = _percentiles(one.worked for one in verdicts)
    return [
        Measure("latency p50", took[49], "ms"),
        Measure("latency p99", took[98], "ms", ("<", 5)),
        # Far below the line above it, the machine was busy with something else.
        Measure("processor time p99", worked[98], "ms"),
    ]


def _percentiles(times: Iterable[timedelta]) -> list[float]:
    """The 1st to the 99th, in ms."""
    return quantiles((time / timedelta(milliseconds=1) for time in times), n=100)


def _memory(memory: Memory) -> list[Measure]:
    return [
        Measure("memory, brain", memory.brain, "MB", ("<", 150)),
        Measure("memory, language detector", memory.detector, "MB"),
    ]

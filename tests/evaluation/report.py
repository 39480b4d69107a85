"""The tables that the evaluation prints."""

from collections.abc import Iterable, Iterator, Sequence

from app.conversation.intent import Intent
from app.conversation.language import Language
from tests.evaluation import verdicts as shares
from tests.evaluation.goals import Measure
from tests.evaluation.verdicts import Verdict


def accuracies(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line a language and a line an intent: accuracy in %, plain, hard and all."""
    yield _accuracy_line("accuracy, %", "messages", "plain", "hard", "all")
    yield _accuracies("all", verdicts)
    yield ""
    for language in Language:
        yield _accuracies(language, [one for one in verdicts if one.message.language is language])
    yield ""
    for intent in Intent:
        yield _accuracies(intent, [one for one in verdicts if one.message.intent is intent])


def against_goals(measures: Iterable[Measure]) -> Iterator[str]:
    """A line a measure: its value, its goal, met or MISSED."""
    for one in measures:
        line = f"{one.name:<26}{one.value:>8.2f} {one.unit:<2}"
        if one.goal is not None:
            sign, limit = one.goal
            line += f"   goal {sign} {limit:>3g} {one.unit:<2}   {'met' if one.met else 'MISSED'}"
        yield line


def mistakes(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A line a mistake: what it is, what it was taken for and how surely, and the message."""
    for one in verdicts:
        if not one.right:
            of = one.message
            yield f"{of.language}  {of.intent:<15} {one.guess:<15} {one.score:.2f}  {of.text!r}"


def _accuracies(name: str, verdicts: Sequence[Verdict]) -> str:
    plain = [one for one in verdicts if not one.message.hard]
    hard = [one for one in verdicts if one.message.hard]
    percents = [f"{100 * shares.accuracy(some):.1f}" for some in (plain, hard, verdicts)]
    return _accuracy_line(name, str(len(verdicts)), *percents)


def _accuracy_line(name: str, count: str, plain: str, hard: str, both: str) -> str:
    return f"{name:<16}{count:>9}{plain:>8}{hard:>8}{both:>8}"

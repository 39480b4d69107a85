"""How often the concierge understands guests, on messages it was tuned on and on others.

What each corpus is, and how it was kept from the patterns, stands at the top of its file. All were
written by the patterns' author, so real guests will be harder than `heldout.yml`; `hard.yml` is the
other end. There, most must come out as "other", which calls a person, and hardly any as wrong.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from app.conversation.concierge import answer
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.property import Property

CORPUS: Final = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Example:
    """A message, and what a good receptionist would make of it."""

    text: str
    language: Language | None
    intents: tuple[Intent, ...]


def read_corpus(name: str) -> list[Example]:
    sections: dict[str, dict[str, str]] = yaml.safe_load((CORPUS / name).read_text("utf-8"))
    return [
        Example(
            text,
            None if language == "none" else Language(language),
            tuple(sorted(map(Intent, wanted.split(", ")), key=list(Intent).index)),
        )
        for language, messages in sections.items()
        for text, wanted in messages.items()
    ]


Examples = list[Example]
TUNED_ON: Final = read_corpus("dev.yml")
HELD_OUT: Final = read_corpus("heldout.yml")
HARD: Final = read_corpus("hard.yml")

# A little under what was reached (see `pytest -s`), so that one more miss is seen but no trap.
GOAL_TUNED_ON = 0.98
GOAL_HELD_OUT = 0.95
# One in thirty is reached: a guest who jokes that the boiler is on fire gets the fire brigade.
WRONG_AT_MOST_WHERE_HARD = 0.05


def _share(examples: Sequence[object], hits: Sequence[object]) -> float:
    return len(hits) / len(examples)


def _understood(name: str, examples: Examples, facts: Property) -> float:
    hits: list[tuple[Example, tuple[Intent, ...]]] = []
    misses: list[tuple[Example, tuple[Intent, ...]]] = []
    for example in examples:
        found = answer(example.text, facts).intents
        (hits if found == example.intents else misses).append((example, found))
    print(f"\n{name}: {len(hits)} of {len(examples)} understood ({_share(examples, hits):.1%})")
    totals = Counter(example.language for example in examples)
    for language, count in Counter(example.language for example, _ in hits).items():
        print(f"  {language or 'no language':12} {count} of {totals[language]}")
    for example, found in misses:
        print(f"  missed: {example.text!r} is {_names(example.intents)}, got {_names(found)}")
    return _share(examples, hits)


def _wrong(examples: Examples, facts: Property) -> float:
    """The share answered with something that wasn't asked; a person called is no wrong answer."""
    wrong = [
        example
        for example in examples
        if {*answer(example.text, facts).intents} - {*example.intents, Intent.OTHER}
    ]
    print(f"  answered wrongly: {[example.text for example in wrong]}")
    return _share(examples, wrong)


def _names(intents: tuple[Intent, ...]) -> str:
    return ", ".join(intents)


def _language_told(name: str, examples: Examples, facts: Property) -> float:
    right = []
    for example in examples:
        found = answer(example.text, facts)
        language = found.language if found.language_is_told else None
        if language == example.language:
            right.append(example)
        else:
            print(f"  language missed: {example.text!r} is {example.language}, got {language}")
    print(f"{name}: the language of {len(right)} of {len(examples)} told")
    return _share(examples, right)


def test_understands_what_it_was_tuned_on(facts: Property) -> None:
    assert _understood("tuned on", TUNED_ON, facts) >= GOAL_TUNED_ON
    assert _language_told("tuned on", TUNED_ON, facts) >= GOAL_TUNED_ON


def test_understands_messages_never_seen(facts: Property) -> None:
    assert _understood("held out", HELD_OUT, facts) >= GOAL_HELD_OUT
    assert _language_told("held out", HELD_OUT, facts) >= GOAL_HELD_OUT


def test_calls_a_person_rather_than_answer_wrongly(facts: Property) -> None:
    assert _wrong(TUNED_ON, facts) <= 0.01
    assert _wrong(HELD_OUT, facts) <= 0.03
    _understood("hard", HARD, facts)
    assert _wrong(HARD, facts) <= WRONG_AT_MOST_WHERE_HARD


def test_no_emergency_goes_unseen_and_none_is_made_up(facts: Property) -> None:
    for example in [*TUNED_ON, *HELD_OUT]:
        seen = Intent.EMERGENCY in answer(example.text, facts).intents
        assert seen == (Intent.EMERGENCY in example.intents), example.text


def test_the_corpora_are_what_they_say() -> None:
    assert not {e.text for e in TUNED_ON} & {e.text for e in HELD_OUT}
    for corpus in (TUNED_ON, HELD_OUT):
        for language in Language:
            of_language = [e for e in corpus if e.language is language]
            assert len(of_language) >= 20
            assert {intent for e in of_language for intent in e.intents} == set(Intent)


@pytest.mark.parametrize("known", Language)
def test_a_known_language_stays_on_messages_without_one(known: Language, facts: Property) -> None:
    for example in TUNED_ON:
        if example.language is None:
            assert answer(example.text, facts, known).language is known


def test_answers_within_half_a_millisecond(facts: Property) -> None:
    texts = [example.text for example in (*TUNED_ON, *HELD_OUT)]
    took = []
    for text in texts * 5:
        start = time.perf_counter()
        answer(text, facts)
        took.append(time.perf_counter() - start)
    centiles = statistics.quantiles(took, n=100)
    print(f"\nanswer(): p50 {centiles[49] * 1e3:.3f} ms, p99 {centiles[98] * 1e3:.3f} ms")
    assert centiles[49] < 0.0005

"""What a drill makes of its cuts: promises, distribution, exit code."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.ha.journal import Entry, State
from tests.rehearsal.drill import Cut, steps, summary, verdict, write

GOOD = Cut(1, after=7, first_reply=41, pause=4, back=150, told=900, answered=900)


def test_a_cut_that_kept_every_promise() -> None:
    assert GOOD.broken == []
    assert verdict([GOOD, GOOD], 2) == 0
    assert summary([GOOD, GOOD]).endswith("every promise was kept")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"first_reply": 60.0}, "no reply within 60 s"),
        ({"first_reply": None}, "no reply within 60 s"),
        ({"pause": 30.0}, "a pause of 30 s or more"),
        ({"pause": None}, "a pause of 30 s or more"),
        ({"lost": ("reply-1",)}, "1 lost"),
        ({"doubled": ("reply-1", "reply-2")}, "2 answered twice"),
        ({"two_senders": ["in term 3 sent a and b"]}, "in term 3 sent a and b"),
        ({"failed": "the Mac does not boot"}, "the Mac does not boot"),
    ],
)
def test_each_broken_promise_is_told_and_fails_the_drill(change: dict[str, Any], says: str) -> None:
    cut = replace(GOOD, **change)
    (broken,) = cut.broken
    assert says in broken
    assert says in cut.line
    assert says in summary([GOOD, cut])
    assert verdict([GOOD, cut], 2) == 1


def test_a_drill_that_ended_early_has_not_kept_its_promises() -> None:
    assert verdict([GOOD], 2) == 1


def test_messages_that_no_door_took_break_no_promise() -> None:
    assert replace(GOOD, unaccepted=12, answered=888).broken == []


def test_the_distribution_is_of_what_came_about() -> None:
    replies = [10.0, 20.0, 30.0, 40.0, None]
    first = summary([replace(GOOD, first_reply=reply) for reply in replies]).splitlines()[0]
    assert first.endswith("min / median / p90 / max 10.0 / 25.0 / 37.0 / 40.0 s (1 never)")
    assert summary([replace(GOOD, back=None)]).splitlines()[2].endswith("none")


def test_results_are_kept_with_what_repeats_them(tmp_path: Path) -> None:
    file = tmp_path / "build" / "results.json"
    write(file, [GOOD, replace(GOOD, number=2, lost=("reply-7",))], seed=42, rate=10)
    found = json.loads(file.read_text())
    assert found["seed"] == 42
    assert [cut["broken"] for cut in found["cuts"]] == [[], ["1 lost"]]


def test_steps_are_those_of_the_procedure_with_their_times() -> None:
    entry = Entry(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        steady_at=1,
        boot="one",
        procedure="takeover",
        run="takeover-2-aa",
        term=2,
        step=1,
        name="stop following",
        state=State.DONE,
        took_ms=1234,
    )
    other = entry.model_copy(update={"procedure": "rejoin"})
    assert steps([entry, other], "takeover") == ["stop following 1.23 s"]

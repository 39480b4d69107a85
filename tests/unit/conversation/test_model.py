"""The client of the language model: good answers, bad ones, none, and its time."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import completions
from app.completions import Answer, NoCompletionError, Question
from app.conversation import model as model_module
from app.conversation.model import Model, ModelError
from app.conversation.model_calls import Outcome
from tests.support import scripted
from tests.support.model import KEY, ModelDouble, completion, model_at, model_double
from tests.support.mutations import damaged
from tests.support.processes import free_port

QUESTION = Question("Sort this.", "Ist da ein Pool?", 16)
GOOD = completion("other").body


@pytest.fixture
def double() -> Iterator[ModelDouble]:
    with model_double() as found:
        yield found


@pytest.fixture
def model(double: ModelDouble) -> Iterator[Model]:
    found = model_at(double.url, KEY, 5)
    yield found
    found.close()


def ask(model: Model, seconds: float = 5) -> Answer:
    return model.ask(QUESTION, time.monotonic() + seconds)


def outcome(model: Model, seconds: float = 5) -> Outcome:
    with pytest.raises(ModelError) as caught:
        ask(model, seconds)
    return caught.value.outcome


def test_a_good_answer_comes_with_its_tokens(double: ModelDouble, model: Model) -> None:
    double.intent = lambda _material: "amenities"
    assert ask(model) == Answer("amenities", 120, 12)
    assert double.refused == []
    system, user = double.asked[0].body["messages"]
    assert (system["content"], user["content"]) == (QUESTION.instruction, QUESTION.material)
    assert not model.rests


def test_a_server_that_counts_no_tokens_is_understood(double: ModelDouble, model: Model) -> None:
    body = {name: value for name, value in GOOD.items() if name != "usage"}
    double.intent = lambda _material: scripted.Answer(200, body)
    assert ask(model) == Answer("other", 0, 0)


@pytest.mark.parametrize(
    ("status", "why", "rests"),
    [
        (400, Outcome.REFUSED, False),
        (401, Outcome.REFUSED, False),
        (302, Outcome.REFUSED, False),
        (429, Outcome.REFUSED, False),
        (500, Outcome.FAILED, True),
        (503, Outcome.FAILED, True),
    ],
)
def test_an_error_is_said_and_a_failing_server_left_alone(
    double: ModelDouble, model: Model, status: int, why: Outcome, rests: bool
) -> None:
    double.intent = lambda _material: scripted.Answer(status, {"error": {"message": "no"}})
    assert outcome(model) is why
    assert model.rests is rests


def test_a_wrong_key_is_refused(double: ModelDouble) -> None:
    stranger = model_at(double.url, "not-it", 5)
    assert outcome(stranger) is Outcome.REFUSED
    assert double.refused == ["the key: wrong"]
    stranger.close()


def test_nobody_there_is_unreachable() -> None:
    nobody = model_at(f"http://127.0.0.1:{free_port()}/v1", KEY, 5)
    assert outcome(nobody) is Outcome.UNREACHABLE
    assert nobody.rests
    nobody.close()


def test_a_closed_connection_is_unreachable(double: ModelDouble, model: Model) -> None:
    double.intent = lambda _material: scripted.Answer(None)
    assert outcome(model) is Outcome.UNREACHABLE


@pytest.mark.thorough
def test_a_slow_server_is_not_waited_for(double: ModelDouble, model: Model) -> None:
    left, answered = threading.Event(), threading.Event()

    def late(_material: str) -> str:
        left.wait(4)
        answered.set()
        return "other"

    double.intent = late
    assert outcome(model, seconds=0.2) is Outcome.TIMEOUT
    assert not answered.is_set()
    assert model.rests
    left.set()


def test_no_time_left_is_no_question(model: Model) -> None:
    assert outcome(model, seconds=-1) is Outcome.TIMEOUT


def test_it_rests_only_for_a_while(
    double: ModelDouble, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "REST", timedelta(0))
    double.intent = lambda _material: scripted.Answer(500)
    assert outcome(model) is Outcome.FAILED
    assert not model.rests


def choice(**differing: Any) -> scripted.Answer:
    """A good answer but for these parts of its choice."""
    message = {"role": "assistant", "content": "other"}
    return completion("", choices=[{"message": message, "finish_reason": "stop", **differing}])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (scripted.Answer(200, b"{"), Outcome.MALFORMED),
        (scripted.Answer(200, b""), Outcome.MALFORMED),
        (scripted.Answer(200, b"\xff\xfe"), Outcome.MALFORMED),
        (scripted.Answer(200, b"<html>sign in</html>"), Outcome.MALFORMED),
        (scripted.Answer(200, []), Outcome.MALFORMED),
        (completion("x", choices=[]), Outcome.MALFORMED),
        (completion("x", choices=GOOD["choices"] * 2), Outcome.MALFORMED),
        (completion(None), Outcome.MALFORMED),
        (completion(7), Outcome.MALFORMED),
        (completion([{"type": "text", "text": "other"}]), Outcome.MALFORMED),
        (completion("x", usage={"prompt_tokens": -1}), Outcome.MALFORMED),
        (completion("x", usage={"prompt_tokens": "9"}), Outcome.MALFORMED),
        (choice(message={"role": "user", "content": "other"}), Outcome.MALFORMED),
        (choice(finish_reason="content_filter"), Outcome.MALFORMED),
        (choice(finish_reason="length"), Outcome.CUT_OFF),
        (completion("x" * 100_000), Outcome.TOO_LARGE),
        (scripted.Answer(200, b"[" * 1_000_000), Outcome.TOO_LARGE),
        (scripted.Answer(200, b"[" * 60_000), Outcome.MALFORMED),
    ],
)
def test_an_answer_is_read_strictly(
    double: ModelDouble, model: Model, answer: scripted.Answer, why: Outcome
) -> None:
    double.intent = lambda _material: answer
    assert outcome(model) is why


@given(damaged([GOOD]))
def test_any_damage_is_an_answer_or_an_error_of_ours(body: Any) -> None:
    with suppress(NoCompletionError):  # and nothing else
        assert completions.read(json.dumps(body).encode()).prompt_tokens >= 0


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(NoCompletionError):
        completions.read(body)


def test_an_error_says_nothing_of_what_was_said(double: ModelDouble, model: Model) -> None:
    double.intent = lambda _material: scripted.Answer(500, {"error": QUESTION.material})
    with pytest.raises(ModelError) as caught:
        ask(model)
    assert "Pool" not in str(caught.value)
    assert caught.value.__cause__ is None

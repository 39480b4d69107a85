"""Translating and sending, with a double of the model; Apertium itself is in tests/integration."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from cloud_jobs.jobs.batch_notifications import batch_notifications
from cloud_jobs.jobs.translate_and_send import translate_and_send
from tests.support import known_rows as rows
from tests.support.cloud_layer import Layer
from tests.support.model import KEY, NAME, ModelDouble, completion, model_double
from tests.support.offering_desk import keep
from tests.support.scripted import Answer
from tests.unit.cloud_jobs.conftest import MakeLayer

TEXT = "Domani mattina manca l'acqua dalle 9:00 alle 10:00, ci scusiamo per il disagio."
ENGLISH = "Tomorrow morning there is no water from 9:00 to 10:00, we are sorry for the trouble."
GERMAN = "Morgen früh gibt es von 9:00 bis 10:00 kein Wasser, wir bitten um Entschuldigung."
SPANISH = "Mañana por la mañana no hay agua de 9:00 a 10:00, disculpen las molestias."
WORDED = {"English": ENGLISH, "German": GERMAN, "Spanish": SPANISH}


@pytest.fixture(autouse=True)
def no_apertium(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it makes of a text is not the same on each machine."""
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.fixture
def model() -> Iterator[ModelDouble]:
    with model_double() as double:
        yield double


def by_model(double: ModelDouble) -> dict[str, Any]:
    return {"llm_base_url": double.url, "llm_model": NAME, "llm_api_key": KEY}


def worded(double: ModelDouble) -> None:
    """Let it translate `TEXT` into the language that it is told to."""

    def intent(_material: str) -> str:
        instruction = double.asked[-1].body["messages"][0]["content"]
        return next(text for name, text in WORDED.items() if f"to {name}" in instruction)

    double.intent = intent


def wanted(cloud: Layer, text: str = TEXT, **differing: Any) -> None:
    cloud.tell("translation.wanted", {"text": text} | differing, guest=rows.index(1))
    cloud.run_all()


def test_a_text_is_translated_and_its_tokens_are_counted(
    layer: MakeLayer, model: ModelDouble
) -> None:
    cloud = layer(translate_and_send, **by_model(model))
    worded(model)
    keep(cloud, rows.guest(1, language="en"))
    wanted(cloud, dedupe_key="water")
    sent = {"guest": rows.index(1), "text": ENGLISH, "dedupe_key": "water"}
    assert cloud.commands() == [("TRANSLATE_AND_SEND", sent)]
    assert cloud.meters() == [("model.tokens_in", 120), ("model.tokens_out", 12)]
    assert model.refused == []
    assert model.asked[0].body["messages"][1]["content"] == TEXT


@pytest.mark.parametrize(
    "answer",
    [
        ENGLISH.replace("10:00", "11:00"),
        TEXT,
        "",
        Answer(500, {}),
        Answer(401, {}),
        Answer(None),
        Answer(200, {"choices": []}),
        completion("x" * 70_000),
        completion(
            "",
            choices=[
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ENGLISH, "refusal": None},
                    "finish_reason": "length",
                }
            ],
        ),
    ],
)
def test_what_is_no_good_translation_is_left_to_a_person_as_it_was_written(
    layer: MakeLayer, model: ModelDouble, answer: str | Answer
) -> None:
    cloud = layer(translate_and_send, **by_model(model))
    model.intent = lambda _: answer
    keep(cloud, rows.guest(1, language="en"))
    wanted(cloud)
    assert cloud.commands() == [("TRANSLATE_AND_SEND", {"guest": rows.index(1), "text": TEXT})]
    (run,) = cloud.runs()
    assert run.state == "succeeded"


@pytest.mark.parametrize("language", ["it", None, "nl"])
def test_nobody_is_asked_for_what_needs_or_has_no_translation(
    layer: MakeLayer, model: ModelDouble, language: str | None
) -> None:
    cloud = layer(translate_and_send, **by_model(model))
    keep(cloud, rows.guest(1, language=language))
    wanted(cloud)
    assert cloud.commands() == [("TRANSLATE_AND_SEND", {"guest": rows.index(1), "text": TEXT})]
    assert model.asked == []


def test_a_slow_model_is_not_waited_for(layer: MakeLayer, model: ModelDouble) -> None:
    model.slow = 1
    cloud = layer(translate_and_send, **by_model(model), llm_timeout="0.1")
    keep(cloud, rows.guest(1, language="en"))
    wanted(cloud)
    ((_, payload),) = cloud.commands()
    assert payload["text"] == TEXT


def test_a_wish_about_nobody_fails_at_once(layer: MakeLayer) -> None:
    cloud = layer(translate_and_send)
    cloud.tell("translation.wanted", {"text": TEXT})
    cloud.run_all()
    (run,) = cloud.runs()
    assert (run.state, run.attempts) == ("failed", 1)


@pytest.mark.thorough
def test_a_batch_is_translated_once_a_language_and_keeps_its_order(
    layer: MakeLayer, model: ModelDouble
) -> None:
    cloud = layer(batch_notifications, **by_model(model))
    worded(model)
    languages = ("it", "en", "de", None)
    keep(cloud, *(rows.guest(n, language=languages[n % 4]) for n in range(240)))
    guests = [rows.index(n) for n in range(240)]
    payload = {"text": TEXT, "to": [*guests, guests[5], rows.index(999)]}
    cloud.tell("notifications.batch", payload, event_id="batch-1")
    cloud.run_all()

    parts = [payload["messages"] for name, payload in cloud.commands() if "BATCH" in name]
    assert [len(part) for part in parts] == [100, 80]
    told = [message for part in parts for message in part]
    assert [message["guest"] for message in told] == [g for n, g in enumerate(guests) if n % 4 != 3]
    texts = (TEXT, ENGLISH, GERMAN)
    assert all(one["text"] == texts[int(one["guest"], 16) % 4] for one in told)
    persons = [payload for name, payload in cloud.commands() if name == "TRANSLATE_AND_SEND"]
    assert [one["guest"] for one in persons] == guests[3::4]
    assert len({one["dedupe_key"] for one in [*told, *persons]}) == 1
    assert len(model.asked) == 2
    assert cloud.output(cloud.runs()[0]) == {"told": 180, "for_a_person": 60}


def test_a_batch_for_the_house_goes_to_who_is_there_today_once(layer: MakeLayer) -> None:
    cloud = layer(batch_notifications)
    today = datetime.now(cloud.settings.zone).date()
    day = timedelta(days=1)
    keep(
        cloud,
        *(rows.guest(n) for n in range(1, 6)),
        rows.stay(1, today, today + day),
        rows.stay(2, today - day, today),
        rows.stay(3, today + day, today + 2 * day),
        rows.stay(4, today - day, today + day, status="cancelled"),
        rows.stay(5, today - day, today + day, guest=rows.index(1)),  # a second room
    )
    cloud.tell("notifications.batch", {"text": TEXT, "to": "in_house"})
    cloud.run_all()
    ((_, payload),) = cloud.commands()
    assert {message["guest"] for message in payload["messages"]} == {rows.index(1), rows.index(2)}
    assert len(payload["messages"]) == 2

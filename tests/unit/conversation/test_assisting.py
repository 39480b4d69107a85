"""What the model may help with, and what it is told."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.assisting import Assisted, assist, helps_with, prompts, without_person
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.model import Model
from app.conversation.model_calls import Outcome, Purpose
from app.conversation.turn import Agent, CallPerson, Reply, Turn
from tests.support import scripted
from tests.support.model import KEY, ModelDouble, model_at, model_double
from tests.unit.conversation.talking import EXAMPLE, NOW, STAY, ask

ODD = "Is there somewhere to hang my wet swimsuit?"
WORDED = (
    "Of course! You are welcome to it from 7:30 am until 10 am, in the veranda; it is included."
)


@pytest.fixture
def double() -> Iterator[ModelDouble]:
    with model_double() as found:
        yield found


@pytest.fixture
def model(double: ModelDouble) -> Iterator[Model]:
    found = model_at(double.url, KEY, 5)
    yield found
    found.close()


def turn(text: str) -> Turn:
    return Turn(text, NOW, known_language=Language.EN, bookings=(STAY,))


def helped(model: Model, text: str, *intents: Intent, private: tuple[str, ...] = ()) -> Assisted:
    """The reply to a message that the brain takes for ``intents``, with the model's help."""
    return assist(model, turn(text), ask(text, *intents), EXAMPLE, private)


def outcomes(found: Assisted) -> list[tuple[Purpose, Outcome]]:
    return [(call.purpose, call.outcome) for call in found.calls]


def test_what_the_brain_is_unsure_of_the_model_may_know(double: ModelDouble, model: Model) -> None:
    double.intent = lambda _material: "Amenities.\n"
    found = helped(model, ODD, Intent.OTHER)
    assert found.reply.intents == (Intent.AMENITIES,)
    assert found.reply.text == ask(ODD, Intent.AMENITIES).text
    assert 0 <= found.reply.score < 1
    assert outcomes(found) == [(Purpose.INTENT, Outcome.USED), (Purpose.WORDING, Outcome.USED)]
    assert double.refused == []
    assert [(call.prompt_tokens, call.completion_tokens) for call in found.calls] == [(120, 12)] * 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("other", Outcome.UNSURE),
        ("swimming", Outcome.NO_INTENT),
        ("", Outcome.NO_INTENT),
        ("amenities, pets", Outcome.NO_INTENT),
        ("The intent is amenities.", Outcome.NO_INTENT),
        ("opt_out", Outcome.NOT_ITS_TO_SAY),
        ("opt_in", Outcome.NOT_ITS_TO_SAY),
    ],
)
def test_without_an_intent_a_person_answers(
    double: ModelDouble, model: Model, answer: str, why: Outcome
) -> None:
    double.intent = lambda _material: answer
    found = helped(model, ODD, Intent.OTHER)
    assert found.reply == ask(ODD, Intent.OTHER)
    assert found.reply.effects == (CallPerson(Intent.OTHER),)
    assert outcomes(found) == [(Purpose.INTENT, why)]


def test_the_model_may_see_danger_and_never_denies_it(double: ModelDouble, model: Model) -> None:
    double.intent = lambda _material: "emergency"
    found = helped(model, ODD, Intent.OTHER)
    assert found.reply.agent is Agent.EMERGENCY
    assert found.reply.text == ask(ODD, Intent.EMERGENCY).text
    double.intent = lambda _material: "greeting"
    asked = len(double.asked)
    assert not helps_with(turn("Fire!"), ask("Fire!", Intent.EMERGENCY), EXAMPLE)
    assert helped(model, "Fire!", Intent.EMERGENCY) == Assisted(ask("Fire!", Intent.EMERGENCY))
    assert len(double.asked) == asked


def test_a_good_wording_is_used(double: ModelDouble, model: Model) -> None:
    double.wording = lambda _material: f" {WORDED}\n"
    found = helped(model, "Breakfast?", Intent.BREAKFAST)
    ours = ask("Breakfast?", Intent.BREAKFAST)
    assert found.reply == replace(ours, text=WORDED)
    assert outcomes(found) == [(Purpose.WORDING, Outcome.USED)]
    assert "in English" in double.asked[0].body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (WORDED + " It is €12.", Outcome.FIGURES),
        (WORDED.replace("10 am", "11 am"), Outcome.FIGURES),
        (WORDED + " The door opens with 4711.", Outcome.FIGURES),
        ("Certo! La colazione è nella veranda 7:30 am 10 am, ed è inclusa per Lei.", None),
        (WORDED * 20, Outcome.TOO_LONG),
        ("", Outcome.EMPTY),
        (scripted.Answer(200, b"{"), Outcome.MALFORMED),
        (scripted.Answer(200, b"x" * 1_000_000), Outcome.TOO_LARGE),
        (scripted.Answer(500), Outcome.FAILED),
        (scripted.Answer(None), Outcome.UNREACHABLE),
    ],
)
def test_a_bad_wording_leaves_ours(
    double: ModelDouble, model: Model, answer: str | scripted.Answer, why: Outcome | None
) -> None:
    double.wording = lambda _material: answer
    found = helped(model, "Breakfast?", Intent.BREAKFAST)
    assert found.reply == ask("Breakfast?", Intent.BREAKFAST)
    assert outcomes(found) == [(Purpose.WORDING, why or Outcome.LANGUAGE)]


@pytest.mark.thorough
def test_a_timeout_leaves_ours_and_the_next_guest_does_not_wait(double: ModelDouble) -> None:
    double.slow = 3
    impatient = model_at(double.url, KEY, 0.2)
    for calls in ([(Purpose.INTENT, Outcome.TIMEOUT)], []):
        found = helped(impatient, ODD, Intent.OTHER)
        assert found.reply == ask(ODD, Intent.OTHER)
        assert outcomes(found) == calls
    assert len(double.asked) == 1
    impatient.close()


@pytest.mark.parametrize(
    "reply",
    [
        ask("Fire!", Intent.EMERGENCY),
        ask("Stop", Intent.OPT_OUT),
        ask("Start", Intent.OPT_IN),
        ask("A person please", Intent.HUMAN),
        ask("It is broken", Intent.COMPLAINT),
        ask("Hello", Intent.GREETING),
        ask("Wi-Fi?", Intent.WIFI),
        ask("Wi-Fi and breakfast?", Intent.WIFI, Intent.BREAKFAST),
        ask("Is my booking there?", Intent.BOOKING_STATUS, turn=turn("")),
        ask("Can we stay longer?", Intent.LATE_CHECKOUT, turn=turn("")),
        ask("Cancel it", Intent.BOOKING_CANCEL, turn=turn("")),
        ask("Breakfast and the bill?", Intent.BREAKFAST, Intent.INVOICE, turn=turn("")),
    ],
    ids=lambda reply: "+".join(reply.intents),
)
def test_what_binds_or_is_private_is_not_worded(reply: Reply) -> None:
    assert not helps_with(turn("what was written"), reply, EXAMPLE)


def test_nothing_is_asked_about_a_photo() -> None:
    photo = replace(turn(""), media=("image",))
    assert not helps_with(photo, ask("", Intent.OTHER, turn=photo), EXAMPLE)


def test_what_leaves_tells_nothing_of_the_guest(double: ModelDouble, model: Model) -> None:
    text = (
        "I am Zenobia Quarzolini, booking AUR-417, +39 000 9871234 or zq@example.invalid. "
        "Where does one hang a wet swimsuit, zenobia asks?"
    )
    found = helped(model, text, Intent.OTHER, private=("Zenobia Quarzolini", "AUR-417"))
    assert outcomes(found) == [(Purpose.INTENT, Outcome.UNSURE)]
    (asked,) = double.asked
    sent = asked.body["messages"][1]["content"] + json.dumps(asked.headers)
    for trace in ("zenobia", "quarzolini", "aur-", "417", "9871234", "example.invalid", "zq"):
        assert trace not in sent.casefold()
    assert "swimsuit" in sent


@pytest.mark.thorough
def test_the_wifi_password_never_leaves(double: ModelDouble, model: Model) -> None:
    assert EXAMPLE.wifi
    assert EXAMPLE.wifi.password
    for intent in Intent:
        helped(model, ODD, intent)
    assert double.asked
    assert EXAMPLE.wifi.password.get_secret_value() not in repr(double.asked)


@given(st.integers(10**6, 10**14), st.sampled_from(["", " ", "-", ".", "/"]), st.text(max_size=20))
def test_no_phone_leaves_however_it_is_grouped(number: int, gap: str, around: str) -> None:
    digits = str(number)
    grouped = gap.join([digits[:2], digits[2:5], digits[5:]])
    left = without_person(f"{around} +{grouped} {around}")
    assert grouped not in left


def test_times_dates_and_prices_stay_in_what_is_asked() -> None:
    text = "From 15:00 on 4.12. for 25,00 EUR, room 12?"
    assert without_person(text, ("Al", "")) == text


def test_every_intent_is_explained() -> None:
    assert set(prompts()["intents"]) == set(Intent)
    assert all(prompts()["intents"].values())

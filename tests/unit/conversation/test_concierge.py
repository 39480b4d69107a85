"""The concierge: what the host wrote, and a person for the rest."""

import pytest

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.told import TOPICS
from app.conversation.turn import Agent, CallPerson, MakeRequest, SetConsent
from app.guests.request import RequestKind
from tests.unit.conversation.talking import BARE, ask, bare


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("intent", sorted(TOPICS))
def test_a_known_fact_is_told_by_the_bot_alone(intent: Intent, language: Language) -> None:
    reply = ask("?", intent, language=language)
    assert (reply.agent, reply.language, reply.intents) == (Agent.CONCIERGE, language, (intent,))
    assert reply.effects == ()
    assert reply.score == 0.9


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("intent", sorted(TOPICS))
def test_an_unknown_fact_calls_a_person(intent: Intent, language: Language) -> None:
    reply = ask("?", intent, facts=BARE, language=language)
    assert (reply.language, reply.effects) == (language, (CallPerson(intent),))
    assert reply.text


def test_a_network_without_a_password_is_not_said_to_have_none() -> None:
    reply = ask("?", Intent.WIFI, facts=bare(wifi={"network": "Lumaca"}))
    assert "Lumaca" in reply.text
    assert reply.effects == (CallPerson(Intent.WIFI),)
    open_network = {"network": "Lumaca", "details": "Ohne Passwort."}
    assert not ask("?", Intent.WIFI, facts=bare(wifi=open_network)).effects


def test_amenities_come_with_the_house_rules() -> None:
    reply = ask("May I smoke?", Intent.AMENITIES)
    assert "hair dryer" in reply.text
    assert "No smoking in the rooms" in reply.text
    rules_only = ask("May I smoke?", Intent.AMENITIES, facts=bare(house_rules="Nein."))
    assert "Nein." in rules_only.text
    assert rules_only.effects == (CallPerson(Intent.AMENITIES),)


def test_an_address_alone_is_told_and_the_way_left_to_a_person() -> None:
    reply = ask("?", Intent.DIRECTIONS, facts=bare(address="Via delle Lanterne"))
    assert "Via delle Lanterne" in reply.text
    assert reply.effects == (CallPerson(Intent.DIRECTIONS),)


def test_a_text_in_another_language_is_announced() -> None:
    facts = bare(parking="Im Hof.")
    assert ask("?", Intent.PARKING, facts=facts, language=Language.DE).text == "Parken: Im Hof."
    french = ask("?", Intent.PARKING, facts=facts, language=Language.FR).text
    assert french == "Stationnement : (Le texte suivant est en allemand.) Im Hof."
    facts = bare(parking={"de": "Im Hof.", "en": "In the yard."})
    french = ask("?", Intent.PARKING, facts=facts, language=Language.FR).text
    assert "(Le texte suivant est en anglais.) In" in french


def test_braces_in_a_fact_are_only_braces() -> None:
    facts = bare(parking="{name} {0} {")
    assert ask("?", Intent.PARKING, facts=facts, language=Language.DE).text == (
        "Parken: {name} {0} {"
    )


def test_a_delayed_guest_hears_until_when_and_the_desk_that_they_are_late() -> None:
    reply = ask("Our flight is late", Intent.FLIGHT_DELAY)
    assert "You can check in until 10 pm." in reply.text
    assert "your key is in the box" in reply.text
    assert reply.effects == (CallPerson(Intent.FLIGHT_DELAY),)
    assert "check in" not in ask("late", Intent.FLIGHT_DELAY, facts=BARE).text


def test_what_was_left_behind_is_for_the_desk_to_look_for() -> None:
    reply = ask("I forgot my charger in the room", Intent.LUGGAGE)
    assert reply.effects == (MakeRequest(RequestKind.LUGGAGE, "I forgot my charger in the room"),)
    assert "free of charge" not in reply.text


@pytest.mark.parametrize(
    ("intent", "effect"),
    [
        (Intent.COMPLAINT, CallPerson(Intent.COMPLAINT)),
        (Intent.HUMAN, CallPerson(Intent.HUMAN, silence=True)),
        (Intent.OTHER, CallPerson(Intent.OTHER)),
        (Intent.OPT_OUT, SetConsent(given=False)),
        (Intent.OPT_IN, SetConsent(given=True)),
    ],
)
def test_what_the_facts_cannot_answer(intent: Intent, effect: CallPerson | SetConsent) -> None:
    reply = ask("?", intent)
    assert (reply.agent, reply.effects) == (Agent.CONCIERGE, (effect,))


@pytest.mark.parametrize("intent", [Intent.GREETING, Intent.THANKS])
def test_a_courtesy_is_returned(intent: Intent) -> None:
    reply = ask("?", intent)
    assert (reply.intents, reply.effects) == ((intent,), ())

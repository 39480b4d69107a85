"""The replies: polite, complete, and with no fact that the host didn't write."""

import datetime as dt
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversation import property as properties
from app.conversation.concierge import answer
from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.property import Property
from app.conversation.told import clock

EXAMPLE = properties.load(Path(properties.__file__).with_name("property.example.yml"))
BARE = Property.model_validate(
    {"name": "Casa Lumaca", "default_language": "de", "time_zone": "Europe/Rome"}
    | {"emergency_number": "112"},
    context={"default_language": Language.DE},
)


def bare(**facts: object) -> Property:
    return Property.model_validate(
        BARE.model_dump(mode="json", exclude_none=True) | facts,
        context={"default_language": Language.DE},
    )


ASKED = {
    Intent.ARRIVAL: "check-in?",
    Intent.DEPARTURE: "check-out?",
    Intent.WIFI: "wifi?",
    Intent.PARKING: "parking?",
    Intent.BREAKFAST: "breakfast",
    Intent.HOUSE_RULES: "Hausordnung",
}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("intent", ASKED)
def test_a_known_fact_is_told_by_the_bot_alone(intent: Intent, language: Language) -> None:
    reply = answer(ASKED[intent], EXAMPLE, language)
    assert (reply.language, reply.intents, reply.needs_person) == (language, (intent,), False)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("intent", ASKED)
def test_an_unknown_fact_calls_a_person(intent: Intent, language: Language) -> None:
    reply = answer(ASKED[intent], BARE, language)
    assert (reply.language, reply.intents, reply.needs_person) == (language, (intent,), True)


@pytest.mark.parametrize(
    ("language", "start"),
    [
        (Language.IT, "Chiami subito il 112."),
        (Language.EN, "Please call 112 right now."),
        (Language.DE, "Bitte rufen Sie sofort 112 an."),
        (Language.FR, "Appelez immédiatement le 112."),
        (Language.ES, "Llame ahora mismo al 112."),
    ],
)
def test_an_emergency_is_answered_with_the_number_first(language: Language, start: str) -> None:
    reply = answer("Wifi? 🆘🆘", EXAMPLE, language)
    assert reply.text.startswith(start)
    assert reply.intents[0] is Intent.EMERGENCY
    assert reply.needs_person
    assert "Aurora-Ospiti" not in reply.text


def test_several_questions_get_one_reply_in_the_order_of_a_stay() -> None:
    reply = answer("Hello! When is check-out, check-in and what is the wifi password?", EXAMPLE)
    assert reply.text.startswith("Hello!\nCheck-in is from 3 pm to 10 pm.")
    places = [reply.text.index(part) for part in ("3 pm", "lanterna-azzurra-26", "10:30 am")]
    assert places == sorted(places)


def test_a_greeting_is_answered_as_one_only_if_it_is_all() -> None:
    assert answer("Guten Tag", EXAMPLE).intents == (Intent.GREETING,)
    assert "Pensione Aurora" in answer("Guten Tag", EXAMPLE).text
    assert answer("Guten Tag, wann gibt es Frühstück?", EXAMPLE).intents == (Intent.BREAKFAST,)


def test_what_is_known_is_told_and_a_person_called_for_the_rest() -> None:
    reply = answer("wifi and parking please", bare(parking="Im Hof."), Language.EN)
    assert reply.needs_person
    assert "Im Hof." in reply.text
    assert "(Wi-Fi)" in reply.text


def test_a_network_without_a_password_is_not_said_to_have_none() -> None:
    reply = answer("wifi?", bare(wifi={"network": "Lumaca"}), Language.EN)
    assert "Lumaca" in reply.text
    assert reply.needs_person
    open_network = {"network": "Lumaca", "details": "Ohne Passwort."}
    assert not answer("wifi?", bare(wifi=open_network), Language.EN).needs_person


def test_a_text_in_another_language_is_announced() -> None:
    facts = bare(parking="Im Hof.")
    assert answer("parking", facts, Language.DE).text == "Parken: Im Hof."
    french = answer("parking", facts, Language.FR).text
    assert french == "Stationnement : (Le texte suivant est en allemand.) Im Hof."
    facts = bare(parking={"de": "Im Hof.", "en": "In the yard."})
    assert "(Le texte suivant est en anglais.) In" in answer("parking", facts, Language.FR).text


def test_whatsapp_does_not_swallow_signs_of_a_password() -> None:
    reply = answer("wifi?", bare(wifi={"network": "N", "password": "a*b*c"}), Language.EN)
    assert "```a*b*c```" in reply.text


def test_braces_in_a_fact_are_only_braces() -> None:
    reply = answer("parking", bare(parking="{name} {0} {"), Language.DE)
    assert reply.text == "Parken: {name} {0} {"


def test_a_message_without_language_is_answered_in_the_property_s_and_not_remembered() -> None:
    reply = answer("😀", BARE)
    assert (reply.language, reply.language_is_told) == (Language.DE, False)
    assert answer("😀", BARE, Language.ES).language is Language.ES


@pytest.mark.parametrize(
    ("moment", "language", "written"),
    [
        (dt.time(15), Language.EN, "3 pm"),
        (dt.time(10, 30), Language.EN, "10:30 am"),
        (dt.time(12), Language.EN, "noon"),
        (dt.time(12, 30), Language.EN, "12:30 pm"),
        (dt.time(0), Language.EN, "midnight"),
        (dt.time(0, 5), Language.EN, "12:05 am"),
        (dt.time(15), Language.FR, "15 h"),
        (dt.time(7, 5), Language.FR, "7 h 05"),
        (dt.time(7, 30), Language.DE, "7:30"),
        (dt.time(15), Language.IT, "15:00"),
        (dt.time(22), Language.ES, "22:00"),
    ],
)
def test_times_are_written_as_their_readers_do(
    moment: dt.time, language: Language, written: str
) -> None:
    assert clock(moment, language) == written


def test_an_answer_always_fits_a_whatsapp_message() -> None:
    long = "x" * 550
    facts = bare(
        name="N" * 200,
        address="A" * 200,
        check_in={"from": "15:00", "until": "22:00", "how": long},
        check_out={"until": "10:00", "how": long},
        wifi={"network": "n" * 32, "password": "p" * 63, "details": long},
        parking=long,
        breakfast={"from": "7:00", "until": "9:00", "details": long},
        house_rules=long,
    )
    for language in Language:
        reply = answer(" ".join(ASKED.values()) + " late check-out, human", facts, language)
        assert set(ASKED) <= set(reply.intents)
        assert len(reply.text) <= 4096


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 4096, "@" * 4096, "a.@" * 1365, "?!" * 2048, "\U0001f198" * 4096, "\ufdfa" * 4096),
        *("fire exit " * 400, "wifi? " * 680, "help | " * 600, "when " * 800, "parkinq " * 500),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    answer(text, EXAMPLE)
    # 4096 characters take up to 40 ms; what is quadratic in them takes seconds.
    assert time.process_time() - start < 0.25


WORDS = st.sampled_from(
    (
        *("ciao", "hello", "wifi", "parking", "check", "in", "out", "breakfast", "fire", "help"),
        *("aiuto", "danke", "regole", "dónde", "112", "3 pm", "23:15", "…", "?", "!", ",", "{x}"),
        *("%s", "\\", "```", "¿", "😀", "🆘", "...", "^", "$", "|", "\n", "\0", "\ud83d"),
    )
)
MESSAGES = st.one_of(st.text(), st.lists(WORDS, max_size=30).map(" ".join))


def _numbers(facts: Property) -> set[str]:
    """The numbers in the facts, and those that times become in any language."""
    check_in, check_out, breakfast = facts.check_in, facts.check_out, facts.breakfast
    times = [
        *((check_in.from_, check_in.until) if check_in else ()),
        *((check_out.until,) if check_out else ()),
        *((breakfast.from_, breakfast.until) if breakfast else ()),
    ]
    written = [clock(moment, language) for moment in times if moment for language in Language]
    password = facts.wifi and facts.wifi.password and facts.wifi.password.get_secret_value()
    told = facts.model_dump_json(
        exclude={
            "check_in": {"from_", "until"},
            "check_out": {"until"},
            "breakfast": {"from_", "until"},
        }
    )
    return set(re.findall(r"\d+", " ".join([told, password or "", *written])))


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.sampled_from([None, *Language]), st.sampled_from([EXAMPLE, BARE]))
def test_any_text_is_answered_with_no_number_that_is_not_a_fact(
    text: str, known: Language | None, facts: Property
) -> None:
    reply = answer(text, facts, known)
    assert reply.text.strip()
    assert reply.intents
    assert set(re.findall(r"\d+", reply.text)) <= _numbers(facts)
    assert reply == answer(text, facts, known)

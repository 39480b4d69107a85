"""The reply as a whole: what goes first, several things at once, and no fact that isn't one."""

import datetime as dt
import re
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversation.intent import Intent
from app.conversation.language import Language
from app.conversation.property import Extras, Property
from app.conversation.replying import reply
from app.conversation.turn import Agent, CallPerson, Offer, SetConsent, Turn
from app.conversation.understanding import Guess
from app.conversation.wording import clock, day, money
from app.guests.booking import Booking, BookingStatus
from app.guests.request import RequestKind
from tests.unit.conversation.talking import BARE, EXAMPLE, STAY, ask, at, bare


@pytest.mark.parametrize(
    ("language", "start"),
    [
        (Language.IT, "Chiami subito il 112.\nIl nostro indirizzo: Via delle Lanterne 12"),
        (Language.EN, "Please call 112 right now.\nOur address: Via delle Lanterne 12"),
        (Language.DE, "Bitte rufen Sie sofort 112 an.\nUnsere Adresse: Via delle Lanterne 12"),
        (Language.FR, "Appelez immédiatement le 112.\nNotre adresse : Via delle Lanterne 12"),
        (Language.ES, "Llame ahora mismo al 112.\nNuestra dirección: Via delle Lanterne 12"),
    ],
)
def test_an_emergency_is_answered_alone_with_the_number_first(
    language: Language, start: str
) -> None:
    answer = ask("wifi? 🆘", Intent.WIFI, Intent.EMERGENCY, language=language)
    assert answer.text.startswith(start)
    assert "+39 000 0000000" in answer.text
    assert "Aurora-Ospiti" not in answer.text
    assert (answer.agent, answer.intents) == (Agent.EMERGENCY, (Intent.EMERGENCY,))
    assert answer.score == 0.8
    assert answer.effects == (CallPerson(Intent.EMERGENCY, urgent=True, silence=True),)


def test_several_questions_get_one_reply_in_the_order_of_the_guesses() -> None:
    answer = ask("?", Intent.PARKING, Intent.WIFI, Intent.ARRIVAL)
    places = [answer.text.index(part) for part in ("courtyard", "lanterna-azzurra-26", "3 pm")]
    assert places == sorted(places)
    assert (answer.intents[0], answer.score) == (Intent.PARKING, 0.9)


def test_a_greeting_before_a_question_is_returned_with_the_answer() -> None:
    answer = ask("Hi, wifi?", Intent.WIFI, Intent.GREETING)
    assert answer.text.startswith("Hello!\nWi-Fi")
    assert answer.intents == (Intent.WIFI,)
    assert not ask("Thanks, wifi?", Intent.WIFI, Intent.THANKS).text.startswith("Hello")


def test_the_agent_is_that_of_the_main_thing_asked() -> None:
    assert ask("?", Intent.WIFI, Intent.BOOKING_CANCEL).agent is Agent.CONCIERGE
    assert ask("?", Intent.BOOKING_CANCEL, Intent.WIFI).agent is Agent.BOOKING
    assert ask("?", Intent.GREETING, Intent.INVOICE).agent is Agent.CHECKOUT


def test_what_is_known_is_told_and_a_person_called_once_for_the_rest() -> None:
    facts = bare(parking="Im Hof.")
    answer = ask("?", Intent.WIFI, Intent.PARKING, Intent.PETS, facts=facts)
    assert "Im Hof." in answer.text
    assert "(Wi-Fi, pets)" in answer.text
    assert answer.effects == (CallPerson(Intent.WIFI),)


def test_a_person_is_called_for_the_gravest_reason() -> None:
    answer = ask("?", Intent.COMPLAINT, Intent.HUMAN)
    assert answer.effects == (CallPerson(Intent.HUMAN, silence=True),)


def test_what_is_not_understood_beside_an_answer_is_not_dropped() -> None:
    answer = ask("?", Intent.WIFI, Intent.OTHER)
    assert "Aurora-Ospiti" in answer.text
    assert "For everything else" in answer.text
    assert answer.effects == (CallPerson(Intent.OTHER),)


def test_an_opt_out_is_heard_wherever_it_stands() -> None:
    assert SetConsent(given=False) in ask("?", Intent.WIFI, Intent.OPT_OUT).effects


def test_media_without_a_word_are_for_a_person_to_look_at() -> None:
    answer = ask(" ", Intent.OTHER, turn=Turn("", at(5), media=("image",)))
    assert answer.text.startswith("Thank you, what you sent has arrived.")
    assert answer.effects == (CallPerson(Intent.OTHER),)
    captioned = ask("Wifi?", Intent.WIFI, turn=Turn("", at(5), media=("image",)))
    assert captioned.intents == (Intent.WIFI,)


def test_a_follow_up_without_a_topic_to_go_on_from_is_an_ordinary_message() -> None:
    gone = replace(STAY, departure=dt.date(2026, 5, 5))
    for topic in (None, Intent.COMPLAINT, Intent.THANKS):
        # Once the room must be left, complaints are the check-out agent's.
        for turn in (Turn("", at(5)), Turn("", at(5, 20), bookings=(gone,))):
            answer = ask("and when?", Intent.OTHER, turn=replace(turn, topic=topic))
            assert answer.intents == (Intent.OTHER,)


def test_a_message_without_language_is_answered_in_the_property_s_and_not_remembered() -> None:
    answer = ask("😀", Intent.OTHER, facts=BARE, language=None)
    assert (answer.language, answer.language_is_told) == (Language.DE, False)
    known = ask("😀", Intent.OTHER, facts=BARE, language=Language.ES)
    assert (known.language, known.language_is_told) == (Language.ES, True)


def test_an_answer_always_fits_a_whatsapp_message() -> None:
    long = "x" * 550
    texts = ("parking", "house_rules", "directions", "luggage", "amenities", "pets", "local_tips")
    facts = bare(
        **dict.fromkeys((*texts, "transport", "invoice"), long),
        name="N" * 200,
        address="A" * 200,
        check_in={"from": "15:00", "until": "22:00", "how": long},
        check_out={"until": "10:00", "how": long},
        wifi={"network": "n" * 32, "password": "p" * 63, "details": long},
        breakfast={"from": "7:00", "until": "9:00", "details": long},
        currency="EUR",
        extras={"late_checkout": {"until": "12:00", "price": "10", "details": long}},
    )
    longest = (Intent.AMENITIES, Intent.DIRECTIONS, Intent.LATE_CHECKOUT, Intent.GREETING)
    for language in Language:
        assert len(ask("?", *longest, facts=facts, language=language).text) <= 4096


@pytest.mark.parametrize(
    "text",
    ["x" * 4096, "@" * 4096, "?!" * 2048, "\U0001f198" * 4096, "\ufdfa" * 4096, "yes no " * 585],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    ask(text, Intent.TRANSPORT, Intent.BOOKING_CHANGE)
    # 4096 characters take up to 60 ms; what is quadratic in them takes seconds.
    assert time.process_time() - start < 0.3


NUMBER = re.compile(r"\d+")
WORDS = st.sampled_from(
    (
        *("ciao", "wifi", "one more person", "transfer", "yes", "no", "and how much?", "e dove?"),
        *("siamo partiti", "forgot", "112", "3 pm", "23:15", "99 €", "?", "!", "{x}", "{"),
        *("%s", "\\", "```", "¿", "😀", "🆘", "^", "$", "|", "\n", "\0", "\ud83d"),
    )
)
MESSAGES = st.one_of(st.text(), st.lists(WORDS, max_size=8).map(" ".join))
BOOKINGS = st.builds(
    Booking,
    channel=st.just("direct"),
    code=st.from_regex(r"\A[A-Z]{2}-[0-9]{2,5}\Z"),
    status=st.sampled_from([BookingStatus.REQUESTED, BookingStatus.CONFIRMED]),
    unit=st.sampled_from([None, "12", "Camera Glicine"]),
    arrival=st.sampled_from([None, at(1).date(), at(4).date()]),
    departure=st.sampled_from([None, at(5).date(), at(6).date(), at(20).date()]),
    party=st.one_of(st.none(), st.integers(1, 9)),
    balance=st.one_of(st.none(), st.decimals(0, 5000, places=2)),
    currency=st.sampled_from([None, "EUR", "CHF"]),
    booking_id=st.one_of(st.none(), st.integers(1, 99)),
)
OFFERS = st.builds(
    Offer,
    request_id=st.integers(1, 99),
    kind=st.sampled_from([RequestKind.LATE_CHECKOUT, RequestKind.TRANSFER]),
    price=st.just(Decimal("22.50")),
    currency=st.just("EUR"),
)
TURNS = st.builds(
    Turn,
    text=MESSAGES,
    now=st.sampled_from([at(5), at(5, 11), at(6, 12)]),
    choice_id=st.sampled_from([None, "accept", "decline", "else"]),
    media=st.sampled_from([(), ("image",)]),
    known_language=st.sampled_from([None, *Language]),
    topic=st.sampled_from([None, *Intent]),
    bookings=st.lists(BOOKINGS, max_size=2).map(tuple),
    offer=st.one_of(st.none(), OFFERS),
)
GUESSES = st.lists(
    st.builds(Guess, st.sampled_from(Intent), st.floats(0, 1)), min_size=1, max_size=3
)


def _numbers_of_the_property(facts: Property, language: Language) -> set[str]:
    """The numbers in the facts, with times and prices as the language writes them."""
    extras = facts.extras or Extras()
    times = [
        *((facts.check_in.from_, facts.check_in.until) if facts.check_in else ()),
        *((facts.check_out.until,) if facts.check_out else ()),
        *((facts.breakfast.from_, facts.breakfast.until) if facts.breakfast else ()),
        *((extras.early_checkin.from_,) if extras.early_checkin else ()),
        *((extras.late_checkout.until,) if extras.late_checkout else ()),
    ]
    priced = (extras.early_checkin, extras.late_checkout, extras.extra_guest, extras.transfer)
    prices = [money(extra.price, facts.currency or "", language) for extra in priced if extra]
    password = facts.wifi and facts.wifi.password and facts.wifi.password.get_secret_value()
    structured: dict[str, Any] = {
        "check_in": {"from_", "until"},
        "check_out": {"until"},
        "breakfast": {"from_", "until"},
        "extras": {extra: {"from_", "until", "price"} for extra in Extras.model_fields},
    }
    told = facts.model_dump_json(exclude=structured)
    written = [clock(moment, language) for moment in times if moment]
    return set(NUMBER.findall(" ".join([told, password or "", *written, *prices])))


def _numbers_of_the_guest(turn: Turn, language: Language) -> set[str]:
    told = [turn.text]
    for booking in turn.bookings:
        told += [booking.code, booking.unit or "", str(booking.party)]
        told += [day(date, language) for date in (booking.arrival, booking.departure) if date]
        if booking.balance is not None and booking.currency:
            told.append(money(booking.balance, booking.currency, language))
    if turn.offer:
        told.append(money(turn.offer.price, turn.offer.currency, language))
    return set(NUMBER.findall(" ".join(told)))


@settings(deadline=None)
@given(TURNS, GUESSES, st.sampled_from([EXAMPLE, BARE]))
def test_any_message_is_answered_with_no_number_that_is_not_a_fact(
    turn: Turn, guesses: list[Guess], facts: Property
) -> None:
    answer = reply(turn, guesses, facts)
    assert answer.text.strip()
    assert answer.intents
    assert sum(isinstance(effect, CallPerson) for effect in answer.effects) <= 1
    numbers = set(NUMBER.findall(answer.text))
    known = _numbers_of_the_property(facts, answer.language)
    assert numbers <= known | _numbers_of_the_guest(turn, answer.language)
    assert answer == reply(turn, guesses, facts)


@settings(deadline=None)
@given(TURNS, GUESSES)
def test_an_emergency_is_never_missed(turn: Turn, guesses: list[Guess]) -> None:
    danger = [*guesses[:2], Guess(Intent.EMERGENCY, 0.5)]
    answer = reply(replace(turn, bookings=(STAY,)), danger, EXAMPLE)
    assert answer.agent is Agent.EMERGENCY
    assert "112" in answer.text.splitlines()[0]

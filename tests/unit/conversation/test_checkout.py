"""The check-out agent: how to leave, the invoice, praise and blame, and goodbye."""

from dataclasses import replace
from datetime import datetime

import pytest

from app.conversation.intent import Intent
from app.conversation.turn import Agent, CallPerson, EndStay, MakeRequest, Reply, Turn
from app.guests.request import RequestKind
from tests.unit.conversation.talking import BARE, STAY, ask, at

# The stay is from the 4th to the 8th; check-out is by 10:30.
EARLIER, EVE, MORNING, AFTER, NEXT_DAY = at(6), at(7), at(8, 9), at(8, 10, 30), at(9)


def says(text: str, intent: Intent, now: datetime) -> Reply:
    return ask(text, intent, turn=Turn("", now, bookings=(STAY,)))


@pytest.mark.parametrize(
    ("now", "agent"),
    [(EARLIER, Agent.CONCIERGE), (EVE, Agent.CHECKOUT), (MORNING, Agent.CHECKOUT)],
)
def test_how_to_leave_is_told_by_whose_turn_it_is(now: datetime, agent: Agent) -> None:
    reply = says("When must we be out?", Intent.DEPARTURE, now)
    assert reply.agent is agent
    assert "Check-out is by 10:30 am." in reply.text
    assert reply.effects == ()


def test_a_guest_without_a_booking_hears_it_from_the_concierge() -> None:
    assert ask("?", Intent.DEPARTURE, turn=Turn("", MORNING)).agent is Agent.CONCIERGE


def test_a_coming_stay_is_not_left() -> None:
    assert says("?", Intent.DEPARTURE, at(2)).agent is Agent.CONCIERGE


@pytest.mark.parametrize("now", [MORNING, AFTER, NEXT_DAY])
@pytest.mark.parametrize("intent", [Intent.DEPARTURE, Intent.THANKS])
def test_who_says_that_they_have_left_is_bidden_goodbye(intent: Intent, now: datetime) -> None:
    reply = says("We have left, the key is on the desk.", intent, now)
    assert reply.effects == (EndStay(7),)
    assert "Pensione Aurora wishes you a safe journey" in reply.text


@pytest.mark.parametrize(
    ("text", "intent", "now"),
    [
        ("We haven't left yet", Intent.DEPARTURE, MORNING),
        ("Have we left the key too early?", Intent.DEPARTURE, MORNING),
        ("We have left for the beach", Intent.DEPARTURE, EARLIER),
        ("Thank you", Intent.THANKS, MORNING),
        ("Thank you", Intent.THANKS, EARLIER),
        ("Hello", Intent.GREETING, AFTER),
    ],
)
def test_no_stay_ends_by_mistake(text: str, intent: Intent, now: datetime) -> None:
    assert says(text, intent, now).effects == ()


@pytest.mark.parametrize(
    ("text", "intent"), [("Thank you!", Intent.THANKS), ("Ciao ciao", Intent.GREETING)]
)
@pytest.mark.parametrize("now", [AFTER, NEXT_DAY])
def test_thanks_after_check_out_are_a_goodbye(text: str, intent: Intent, now: datetime) -> None:
    reply = says(text, intent, now)
    assert (reply.agent, reply.effects) == (Agent.CHECKOUT, (EndStay(7),))


def test_praise_on_the_last_day_goes_to_the_team() -> None:
    text = "Thank you, we loved every minute"
    praise = MakeRequest(RequestKind.FEEDBACK, text, 7)
    assert says(text, Intent.THANKS, EARLIER).effects == ()
    assert says(text, Intent.THANKS, MORNING).effects == (praise,)
    assert says(text, Intent.THANKS, AFTER).effects == (praise, EndStay(7))


def test_blame_after_the_stay_is_kept_as_feedback_too() -> None:
    called = CallPerson(Intent.COMPLAINT)
    assert says("It was loud", Intent.COMPLAINT, MORNING).effects == (called,)
    assert says("It was loud", Intent.COMPLAINT, AFTER).effects == (
        MakeRequest(RequestKind.FEEDBACK, "It was loud", 7),
        called,
    )


def test_an_invoice_is_requested_and_what_it_needs_is_told() -> None:
    reply = says("An invoice please", Intent.INVOICE, EARLIER)
    assert reply.agent is Agent.CHECKOUT
    assert reply.effects == (MakeRequest(RequestKind.INVOICE, "An invoice please", 7),)
    assert "tax number" in reply.text
    assert "tax number" not in ask("An invoice please", Intent.INVOICE, facts=BARE).text


def test_a_booking_without_a_row_is_bidden_goodbye_but_not_ended() -> None:
    turn = Turn("", AFTER, bookings=(replace(STAY, booking_id=None),))
    reply = ask("Thank you!", Intent.THANKS, turn=turn)
    assert reply.effects == ()
    assert "safe journey" in reply.text

"""Commands that name a guest by the index, and templates that the desk fills in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.work.desk import Desk
from tests.unit.commands.conftest import Cloud
from tests.unit.commands.test_handlers import CONSENT, STAY, refused
from tests.unit.work.conftest import GUEST, OTHER, message, outbox, said_to_desk

BOOKING = {"channel": "direct", "code": "A1"}
LOCAL = {"it": "vento", "en": "wind", "de": "Wind", "fr": "vent", "es": "viento"}


def index(desk: Desk, phone: str = GUEST) -> str:
    return desk.seal.index(phone).hex()


def said(cloud: Cloud, desk: Desk, template: str, **payload: Any) -> str:
    """What the one message that follows says."""
    variables = payload.pop("variables", {})
    cloud.ask(
        "SEND_MESSAGE",
        guest=index(desk),
        template={"name": template, "variables": variables},
        **payload,
    )
    return message(desk, outbox(desk)[-1])


@pytest.fixture
def ada(cloud: Cloud, desk: Desk) -> str:
    cloud.ask("CREATE_GUEST", phone=GUEST, name="Ada", language="en", consent=CONSENT)
    cloud.ask("UPSERT_BOOKING", **{**STAY, "arrival": "2036-11-18"}, phone=GUEST)
    return index(desk)


def test_a_guest_is_found_by_the_index(cloud: Cloud, desk: Desk, ada: str) -> None:
    cloud.ask("SEND_MESSAGE", guest=ada, text="Good morning")
    cloud.ask("UPDATE_GUEST", guest=ada, time_zone="Europe/London")
    cloud.ask("QUEUE_UPSELL", guest=ada, kind="late_checkout", booking=BOOKING)
    assert [row["guest"].hex() for row in outbox(desk)] == [ada, ada]
    guest = desk.guests.find(GUEST)
    assert guest is not None
    assert str(guest.time_zone) == "Europe/London"


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("SEND_MESSAGE", {"text": "x"}),
        ("UPDATE_GUEST", {"name": "x"}),
        ("QUEUE_UPSELL", {"kind": "transfer"}),
        ("TRANSLATE_AND_SEND", {"text": "x"}),
    ],
)
def test_an_index_of_nobody_is_refused(
    cloud: Cloud, desk: Desk, name: str, payload: dict[str, Any]
) -> None:
    assert refused(cloud, name, guest=index(desk, OTHER), **payload) == "guest_unknown"
    assert outbox(desk) == []


def test_commands_to_a_guest_keep_their_order_however_the_guest_is_named(
    cloud: Cloud, desk: Desk, ada: str
) -> None:
    first = cloud.take("SEND_MESSAGE", phone=GUEST, text="one")
    second = cloud.take("SEND_MESSAGE", guest=ada, text="two")
    cloud.run(second.row_id)
    assert cloud.state(second).state == "received"
    ran = cloud.run(first.row_id)
    assert ran.commands == (second.row_id,)


def test_the_desk_fills_in_what_only_it_knows(cloud: Cloud, desk: Desk, ada: str) -> None:
    told = said(cloud, desk, "arrival_instructions", booking=BOOKING)
    assert "Hello Ada, on 18 November 2036 your room is ready from 3 pm." in told
    assert "18 November 2036" in said(cloud, desk, "welcome")
    assert (
        refused(cloud, "SEND_MESSAGE", guest=ada, template={"name": "payment_reminder"})
        == "balance_unknown"
    )
    for balance, code in (("0.00", "nothing_to_pay"), ("40.00", None)):
        cloud.ask("UPSERT_BOOKING", **BOOKING, status="confirmed", balance=balance, currency="EUR")
        state = cloud.ask("SEND_MESSAGE", guest=ada, template={"name": "payment_reminder"})
        assert state.outcome is not None
        assert state.outcome.get("code") == code
    assert "there is still €40.00 to pay" in message(desk, outbox(desk)[-1])


def test_what_nobody_knows_must_be_given(cloud: Cloud, desk: Desk, ada: str) -> None:
    for template in ("flight_delay", "nothing"):
        code = refused(cloud, "SEND_MESSAGE", guest=ada, template={"name": template})
        assert code == "template_not_usable"
    named = {"channel": "direct", "code": "ZZ"}
    welcome = {"name": "welcome"}
    code = refused(cloud, "SEND_MESSAGE", guest=ada, template=welcome, booking=named)
    assert code == "booking_unknown"


def test_a_guest_without_a_name_is_greeted_all_the_same(cloud: Cloud, desk: Desk) -> None:
    cloud.ask("CREATE_GUEST", phone=GUEST, language="de")
    cloud.ask("UPSERT_BOOKING", **STAY, phone=GUEST)
    assert "Guten Tag lieber Gast" in said(cloud, desk, "welcome")


def test_values_are_written_in_the_language_of_the_guest(
    cloud: Cloud, desk: Desk, ada: str
) -> None:
    tomorrow = datetime.now(UTC).replace(hour=14, minute=42) + timedelta(days=1)
    values = {"flight": "AZ 1572", "arrival": {"moment": tomorrow.isoformat()}}
    assert f":42 pm ({tomorrow.day} " in said(cloud, desk, "flight_delay", variables=values)
    for language, word in LOCAL.items():
        cloud.ask("UPDATE_GUEST", guest=ada, language=language)
        values = {"warning": {"by_language": LOCAL}}
        assert word in said(cloud, desk, "weather_warning", variables=values)
    cloud.ask("UPDATE_GUEST", guest=ada, language="de")
    values = {"offer": {"date": "2036-12-04"}, "price": {"money": "12.5", "currency": "EUR"}}
    told = said(cloud, desk, "upsell_offer", variables=values)
    assert "4. Dezember 2036" in told
    assert "12,50" in told


def test_the_desk_is_alerted_once_for_a_key(cloud: Cloud, desk: Desk) -> None:
    alert = {"key": "costs:2026-11", "kind": "over_budget", "text": "80 % of the budget is used."}
    assert cloud.ask("ALERT_DESK", **alert).outcome == {"raised": True}
    assert cloud.ask("ALERT_DESK", **alert).outcome == {"raised": False}
    assert said_to_desk(desk) == [alert["text"]]
    cloud.ask("ALERT_DESK", **{**alert, "key": "other"}, channels=["slack"])
    found = desk.database.all("SELECT channel FROM alert_deliveries")
    assert [row["channel"] for row in found] == ["whatsapp"]


def test_the_price_of_a_message_can_be_told(cloud: Cloud, desk: Desk, ada: str) -> None:
    said(cloud, desk, "welcome")
    said(cloud, desk, "review_request", variables={"link": "https://example.invalid/r"})
    cloud.ask("SEND_MESSAGE", guest=ada, text="Good morning")
    assert [(row["purpose"], row["country"]) for row in outbox(desk)] == [
        ("service", "IT"),
        ("marketing", "IT"),
        (None, "IT"),
    ]

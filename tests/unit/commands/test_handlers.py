"""What each command brings about, and what it is refused for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.guests.guest import Consent
from app.work.desk import Desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import GUEST, OTHER, message, outbox, said_to_desk

STAY = {
    "channel": "direct",
    "code": "A1",
    "status": "confirmed",
    "arrival": "2026-11-20",
    "departure": "2036-11-20",
}
CONSENT = {"state": "given", "source": "form", "at": "2026-11-01T10:00:00Z"}
ITALIAN = "Domani mattina manca l'acqua dalle nove alle dieci, ci scusiamo per il disagio."


def refused(cloud: Cloud, name: str, /, **payload: Any) -> str:
    """The code of a refusal, which was reported once."""
    state = cloud.ask(name, **payload)
    assert state.state == "failed"
    assert state.outcome is not None
    (told,) = [one for one in cloud.told() if one["id"] == state.command_id]
    assert (told["state"], told["error"]) == ("failed", state.outcome)
    return str(state.outcome["code"])


def test_a_message_is_queued_as_a_notice_and_its_row_reported(cloud: Cloud, desk: Desk) -> None:
    state = cloud.ask("SEND_MESSAGE", phone="+39 000 0000001", text="Good morning", dedupe_key="a")
    (row,) = outbox(desk)
    assert (row["kind"], row["dedupe_key"], row["state"]) == ("notice", "a", "pending")
    assert "Good morning" in message(desk, row)
    assert state.outcome == {"queued": [row["id"]]}
    assert cloud.told()[0]["result"] == {"queued": [row["id"]]}


def test_a_message_waits_for_its_time(cloud: Cloud, desk: Desk) -> None:
    goes_at = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    cloud.ask("SEND_MESSAGE", phone=GUEST, text="Good morning", not_before=goes_at.isoformat())
    (row,) = outbox(desk)
    assert row["not_before"] == row["next_at"] == goes_at.timestamp() * 1000
    assert desk.outbox.claim(row["id"]) is None


def test_a_template_is_filled_in_the_language_of_the_guest(cloud: Cloud, desk: Desk) -> None:
    cloud.ask("CREATE_GUEST", phone=GUEST, language="de")
    template = {"name": "weather_warning", "variables": {}}
    assert refused(cloud, "SEND_MESSAGE", phone=GUEST, template=template) == "template_not_usable"
    variables = dict.fromkeys(("guest", "arrival", "start", "how"), "Ada")
    template = {"name": "arrival_instructions", "variables": variables}
    cloud.ask("SEND_MESSAGE", phone=GUEST, template=template)
    (row,) = outbox(desk)
    assert (row["template"], row["language"]) == ("arrival_instructions", "de")
    assert "Guten Tag Ada" in message(desk, row)


def test_a_batch_is_queued_whole_or_not_at_all(cloud: Cloud, desk: Desk) -> None:
    good = {"phone": GUEST, "text": "one"}
    bad = {"phone": OTHER, "template": {"name": "nothing", "variables": {}}}
    assert refused(cloud, "SEND_BATCH_MESSAGES", messages=[good, bad]) == "template_not_usable"
    assert outbox(desk) == []
    state = cloud.ask("SEND_BATCH_MESSAGES", messages=[good, {**good, "phone": OTHER}])
    assert state.outcome == {"queued": [row["id"] for row in outbox(desk)]}
    assert len(outbox(desk)) == 2


@pytest.mark.parametrize(
    ("language", "reason"), [("en", "no_translator"), (None, "guest_language_unknown")]
)
def test_what_is_not_in_the_language_of_the_guest_goes_to_a_person(
    cloud: Cloud, desk: Desk, language: str | None, reason: str
) -> None:
    cloud.ask("CREATE_GUEST", phone=GUEST, name="Ada Invented", language=language)
    state = cloud.ask("TRANSLATE_AND_SEND", phone=GUEST, text=ITALIAN)
    assert state.outcome == {"queued": [], "handed_to_person": True, "reason": reason}
    assert outbox(desk) == []
    (told,) = said_to_desk(desk)
    assert "Ada Invented" in told
    assert ITALIAN in told


def test_what_is_in_the_language_of_the_guest_goes(cloud: Cloud, desk: Desk) -> None:
    cloud.ask("CREATE_GUEST", phone=GUEST, language="it")
    state = cloud.ask("TRANSLATE_AND_SEND", phone=GUEST, text=ITALIAN)
    assert state.outcome is not None
    assert not state.outcome["handed_to_person"]
    assert len(outbox(desk)) == 1


def test_a_guest_is_made_and_changed(cloud: Cloud, desk: Desk) -> None:
    assert refused(cloud, "UPDATE_GUEST", phone=GUEST, name="Ada") == "guest_unknown"
    made = cloud.ask("CREATE_GUEST", phone=GUEST, name="Ada", consent=CONSENT)
    assert made.outcome == {"created": True}
    cloud.ask("UPDATE_GUEST", phone=GUEST, email="ada@example.invalid")
    assert cloud.ask("CREATE_GUEST", phone=GUEST, language="fr").outcome == {"created": False}
    told = desk.database.one(
        "SELECT guest FROM cloud_events WHERE name = 'command.finished' ORDER BY id DESC"
    )
    assert told is not None
    assert told["guest"] == desk.seal.index(GUEST)
    guest = desk.guests.find(GUEST)
    assert guest is not None
    assert (guest.name, guest.email, guest.language) == ("Ada", "ada@example.invalid", "fr")
    assert guest.consent is Consent.GIVEN


def test_a_booking_is_kept_changed_and_cancelled(cloud: Cloud, desk: Desk) -> None:
    assert refused(cloud, "CANCEL_BOOKING", channel="direct", code="A1") == "booking_unknown"
    made = cloud.ask("UPSERT_BOOKING", **STAY, phone=GUEST)
    assert made.outcome is not None
    booking_id = made.outcome["booking_id"]
    assert made.outcome["created"]
    early = {"channel": "direct", "code": "A1", "status": "confirmed", "departure": "2026-11-20"}
    assert refused(cloud, "UPSERT_BOOKING", **early) == "dates_contradict"
    for cancelled_now in (True, False):
        state = cloud.ask("CANCEL_BOOKING", channel="direct", code="A1")
        assert state.outcome == {"booking_id": booking_id, "cancelled_now": cancelled_now}
    # A status moves forward only.
    again = cloud.ask("UPSERT_BOOKING", **STAY)
    assert again.outcome is not None
    assert again.outcome["status"] == "cancelled"


def test_a_booking_that_is_over_is_not_cancelled(cloud: Cloud, desk: Desk) -> None:
    made = cloud.ask("UPSERT_BOOKING", **STAY, phone=GUEST)
    assert made.outcome is not None
    with desk.database.transaction() as connection:
        desk.bookings.end(connection, made.outcome["booking_id"])
    assert refused(cloud, "CANCEL_BOOKING", channel="direct", code="A1") == "booking_over"


def test_an_offer_is_made_once_for_a_stay_and_kind(cloud: Cloud, desk: Desk) -> None:
    wish = {"phone": GUEST, "kind": "late_checkout"}
    assert refused(cloud, "QUEUE_UPSELL", **wish) == "no_stay"
    cloud.ask("UPSERT_BOOKING", **STAY, phone=GUEST)
    assert refused(cloud, "QUEUE_UPSELL", **wish) == "no_consent"
    cloud.ask("UPDATE_GUEST", phone=GUEST, language="en", consent=CONSENT)
    named = {**wish, "booking": {"channel": "direct", "code": "ZZ"}}
    assert refused(cloud, "QUEUE_UPSELL", **named) == "booking_unknown"

    state = cloud.ask("QUEUE_UPSELL", **wish)
    assert state.state == "done"
    offer = desk.requests.open_offer(GUEST)
    assert offer is not None
    assert (offer.kind, str(offer.price), offer.currency) == ("late_checkout", "25.0", "EUR")
    (row,) = outbox(desk)
    assert row["template"] == "upsell_offer"
    assert "€25.00" in message(desk, row)

    assert refused(cloud, "QUEUE_UPSELL", **wish) == "offered_before"
    assert refused(cloud, "QUEUE_UPSELL", phone=GUEST, kind="transfer") == "another_offer"
    assert len(outbox(desk)) == 1


def test_pausing_and_resuming_say_whether_they_changed_anything(cloud: Cloud) -> None:
    for name, changed in (("PAUSE", True), ("PAUSE", False), ("RESUME", True), ("RESUME", False)):
        reason = {"reason": "a test"} if name == "PAUSE" else {}
        state = cloud.ask(name, queue="commands", **reason)
        if name == "PAUSE" and not changed:
            # The pause holds the second one too.
            assert state.state == "received"
            continue
        assert state.outcome == {"queue": "commands", "changed": changed}
        if not changed:
            break

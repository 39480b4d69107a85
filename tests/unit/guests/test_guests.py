"""The guests table: found by one index, and never poorer than before."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.guests import guests as guests_module
from app.guests.guest import Consent, Guest
from app.guests.phones import PhoneError
from app.sealing import SealError
from tests.unit.guests.conftest import Store

PHONE, OTHER = "+390000000001", "+390000000002"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FULL = Guest(
    PHONE,
    name="Anna Invenzione",
    email="anna@example.invalid",
    language="it",
    time_zone=ZoneInfo("Europe/Rome"),
    consent=Consent.GIVEN,
    consent_source="booking",
    consent_at=NOON,
)


def test_a_guest_comes_back_as_put(store: Store) -> None:
    store.put(FULL)
    assert store.guests.find(PHONE) == FULL
    assert store.guests.find(OTHER) is None


def test_a_phone_is_found_by_one_index(store: Store) -> None:
    (step,) = store.database.all(f"EXPLAIN QUERY PLAN {guests_module.FIND}", (b"",))
    assert step["detail"] == "SEARCH guests USING INDEX sqlite_autoindex_guests_1 (guest=?)"


def test_what_is_not_known_takes_nothing_away(store: Store) -> None:
    store.put(FULL)
    store.put(Guest(PHONE))
    with store.database.transaction() as connection:
        store.guests.seen(connection, PHONE)
    assert store.guests.find(PHONE) == FULL
    assert store.events() == ["guest_created"]


def test_what_is_new_is_taken_over_and_noted(store: Store) -> None:
    store.put(FULL)
    store.put(Guest("+39 000 0000001", name="Anna Fantasia"))
    found = store.guests.find(PHONE)
    assert found is not None
    assert (found.name, found.email) == ("Anna Fantasia", FULL.email)
    detail = json.loads(store.history()[-1]["detail"])
    assert detail == {"name": ["Anna Invenzione", "Anna Fantasia"]}


def test_who_writes_is_known_from_then_on(store: Store) -> None:
    with store.database.transaction() as connection:
        store.guests.seen(connection, PHONE, name="Annina", language="it")
        store.guests.seen(connection, PHONE, language="de")
    assert store.guests.find(PHONE) == Guest(PHONE, name="Annina", language="de")
    assert [entry["actor"] for entry in store.history()] == ["guest", "guest"]


def test_what_they_call_themselves_is_no_better_than_what_they_booked_under(store: Store) -> None:
    store.put(FULL)
    with store.database.transaction() as connection:
        store.guests.seen(connection, PHONE, name="Annina")
    found = store.guests.find(PHONE)
    assert found is not None
    assert found.name == FULL.name


def test_consent_is_noted_once_with_its_source(store: Store) -> None:
    with store.database.transaction() as connection:
        assert store.guests.set_consent(connection, PHONE, Consent.WITHDRAWN, "whatsapp")
        assert not store.guests.set_consent(connection, PHONE, Consent.WITHDRAWN, "desk")
    found = store.guests.find(PHONE)
    assert found is not None
    assert (found.consent, found.consent_source) == (Consent.WITHDRAWN, "whatsapp")
    assert found.consent_at is not None
    assert abs(found.consent_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert store.events() == ["guest_created"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOON - timedelta(days=1), Consent.WITHDRAWN),
        (None, Consent.WITHDRAWN),
        (NOON + timedelta(days=1), Consent.GIVEN),
    ],
)
def test_only_a_later_consent_ends_a_withdrawal(
    store: Store, at: datetime | None, expected: Consent
) -> None:
    store.put(Guest(PHONE, consent=Consent.WITHDRAWN, consent_source="desk", consent_at=NOON))
    store.put(Guest(PHONE, consent=Consent.GIVEN, consent_source="booking", consent_at=at))
    found = store.guests.find(PHONE)
    assert found is not None
    assert found.consent is expected


def test_language_and_time_zone_can_be_said(store: Store) -> None:
    zone = ZoneInfo("America/New_York")
    with store.database.transaction() as connection:
        store.guests.set_language(connection, PHONE, "en")
        store.guests.set_time_zone(connection, PHONE, zone)
    assert store.guests.find(PHONE) == Guest(PHONE, language="en", time_zone=zone)


def test_a_number_with_a_digit_too_few_is_refused(store: Store) -> None:
    with pytest.raises(PhoneError):
        store.put(Guest("+39000"))


def test_nothing_is_kept_of_a_transaction_that_fails(store: Store) -> None:
    def fail() -> None:
        with store.database.transaction() as connection:
            store.guests.put(connection, FULL)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.guests.find(PHONE) is None
    assert store.events() == []


def test_a_name_moved_to_another_guest_does_not_open(store: Store) -> None:
    store.put(FULL)
    store.put(Guest(OTHER, name="Bruno Fantasia"))
    with store.database.transaction() as connection:
        connection.execute(
            "UPDATE guests SET sealed_name = (SELECT sealed_name FROM guests WHERE guest = ?) "
            "WHERE guest = ?",
            (store.seal.index(PHONE), store.seal.index(OTHER)),
        )
    with pytest.raises(SealError, match=r"guests\.name"):
        store.guests.find(OTHER)

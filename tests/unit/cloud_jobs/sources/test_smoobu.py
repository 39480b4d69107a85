"""Smoobu is asked as its vectors say; whatever it writes is read, or known to be no booking."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources import smoobu
from cloud_jobs.sources.http import RefusedError
from cloud_jobs.sources.smoobu_auth import HmacAuth, canonical
from cloud_jobs.sources.smoobu_booking import Booking
from tests.support.cloud_layer import SEAL_KEYS
from tests.support.outside import smoobu as double
from tests.support.outside.server import Outside

SAMPLES = Path(__file__).parents[3] / "samples/smoobu"
SIGNATURES = json.loads((SAMPLES / "signatures.json").read_text())


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def booking(**fields: Any) -> Booking:
    return Booking.model_validate(sample("new")["data"] | fields)


def settings(outside: Outside, **fields: Any) -> CloudSettings:
    given: dict[str, Any] = {
        "seal_keys": SEAL_KEYS,
        "smoobu_url": outside.url,
        "smoobu_key": double.KEY,
        "smoobu_secret": double.SECRET,
    }
    return CloudSettings(_env_file=None, **(given | fields))


@pytest.mark.parametrize("vector", SIGNATURES, ids=lambda vector: vector["path"])
def test_requests_are_signed_as_smoobu_does(vector: dict[str, Any]) -> None:
    query = f"?{vector['query']}" if vector["query"] else ""
    request = httpx.Request(
        vector["method"],
        f"https://login.smoobu.com{vector['path']}{query}",
        content=vector["body"].encode(),
    )
    assert request.url.query.decode() == vector["query"]
    at, nonce, key = vector["at"], vector["nonce"], vector["key"]
    assert canonical(request, at, nonce, key).split("\n") == vector["canonical"]
    HmacAuth(key, vector["secret"]).sign(request, datetime.fromisoformat(at), nonce)
    assert request.headers["X-Signature"] == vector["signature"]
    assert request.headers["X-Timestamp"] == at


def test_there_are_all_the_vectors() -> None:
    assert len(SIGNATURES) == 4


def test_pages_are_asked_signed_each_anew(outside: Outside) -> None:
    for number in range(1, 251):
        outside.smoobu.put({"id": number})
    outside.fail("smoobu", 503)
    since = datetime.now(UTC).date() - timedelta(days=1)
    with smoobu.opened(settings(outside)) as service:
        pages = [smoobu.modified_since(service, since, number) for number in (1, 2, 3)]
    assert [page.page_count for page in pages] == [3, 3, 3]
    assert [one.id for page in pages for one in page.bookings] == list(range(1, 251))
    assert outside.smoobu.calls == 3


def test_only_what_changed_since_comes(outside: Outside) -> None:
    outside.smoobu.put({"id": 1, "modifiedAt": "2026-11-01 10:00:00"})
    outside.smoobu.put({"id": 2, "modifiedAt": "2026-11-20 10:00:00", "type": "cancellation"})
    outside.smoobu.put({"id": 3, "is-blocked-booking": True})
    with smoobu.opened(settings(outside)) as service:
        page = smoobu.modified_since(service, date(2026, 11, 19), 1)
    assert [one.id for one in page.bookings] == [2]


def test_the_old_header_works_while_smoobu_takes_it(outside: Outside) -> None:
    outside.smoobu.put({"id": 1})
    old = settings(outside, smoobu_auth="api_key", smoobu_secret="")
    with smoobu.opened(old) as service:
        assert smoobu.one(service, 1).id == 1
    outside.smoobu.takes_old_header = False
    with smoobu.opened(old) as service, pytest.raises(RefusedError):
        smoobu.one(service, 1)


def test_a_wrong_secret_is_refused(outside: Outside) -> None:
    wrong = settings(outside, smoobu_secret="another")
    with smoobu.opened(wrong) as service, pytest.raises(RefusedError) as caught:
        smoobu.one(service, 1)
    assert caught.value.is_about_key
    assert "another" not in str(caught.value)


def test_a_booking_is_read_whole() -> None:
    one = booking()
    assert one.id == 999001
    assert one.stay == (date(2026, 12, 1), date(2026, 12, 5))
    assert one.name_of_guest == "Ada Invented"
    assert (one.party, one.language, one.apartment.name) == (2, "it", "Room 4")
    assert (one.channel.id, one.channel.name) == (2001, "Booking.com")
    assert one.changed_at == "2026-11-20 10:15:00"
    assert not one.is_blocked
    assert not one.is_cancelled
    assert one.balance is None  # Booking.com may have it already


@pytest.mark.parametrize(
    ("name", "is_cancelled", "departure"),
    [
        ("new", False, date(2026, 12, 5)),
        ("changed", False, date(2026, 12, 6)),
        ("cancelled", True, date(2026, 12, 5)),
    ],
)
def test_each_webhook_is_read(name: str, is_cancelled: bool, departure: date) -> None:
    one = smoobu.read(sample(name)["data"])
    assert one is not None
    assert (one.is_cancelled, one.departure) == (is_cancelled, departure)


def test_a_page_is_read_and_what_is_blocked_known() -> None:
    first, second = map(Booking.model_validate, sample("page")["bookings"])
    assert (first.is_blocked, second.is_blocked) == (False, True)
    assert second.name_of_guest == "Ada Invented"  # from the two other fields


@pytest.mark.parametrize(
    ("fields", "stay"),
    [
        ({"arrival": "2026-02-30"}, (None, date(2026, 12, 5))),
        ({"arrival": "0000-00-00", "departure": None}, (None, None)),
        ({"arrival": "2026-12-05"}, (None, None)),  # leaves when they come: one is wrong
        ({"departure": "soon"}, (date(2026, 12, 1), None)),
        ({"departure": 20261205}, (date(2026, 12, 1), None)),
    ],
)
def test_days_that_cant_be_arent_known(fields: Any, stay: Any) -> None:
    assert booking(**fields).stay == stay


def test_nights_that_the_host_keeps_free_are_no_booking() -> None:
    assert booking(channel={"id": 11, "name": "Blocked channel"}).is_blocked
    assert booking(**{"is-blocked-booking": "Yes"}).is_blocked


@pytest.mark.parametrize(
    ("fields", "balance"),
    [
        ({}, "480.00"),
        ({"price-paid": "Yes"}, "0"),
        ({"prepayment": 100, "prepayment-paid": "Yes"}, "380.00"),
        ({"prepayment": 100, "prepayment-paid": "No"}, "480.00"),
        ({"price": None}, None),
        ({"price": "a lot"}, None),
        ({"price": "480,50"}, None),
    ],
)
def test_what_the_guest_owes_the_host_is_known_of_direct_bookings(
    fields: Any, balance: str | None
) -> None:
    direct = booking(channel={"id": 13, "name": "Direct booking"}, **fields)
    assert direct.balance == (None if balance is None else Decimal(balance))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@trying(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(sample("new")["data"])), VALUES))
def test_whatever_the_fields_are_a_booking_with_a_number_is_read(fields: dict[str, Any]) -> None:
    one = smoobu.read(sample("new")["data"] | fields | {"id": 7})
    assert one is not None
    arrival, departure = one.stay
    assert arrival is None or departure is None or arrival < departure
    assert one.party is None or 1 <= one.party <= 99
    assert one.balance is None or one.balance >= 0
    again = Booking.model_validate_json(one.model_dump_json(by_alias=True))
    assert again == one


@trying(max_examples=50)
@given(VALUES)
def test_what_has_no_number_is_no_booking(body: Any) -> None:
    assert smoobu.read(body) is None
    assert smoobu.read({"id": str(body)[:1] + "x"}) is None


def test_who_the_guest_is_is_not_in_a_repr() -> None:
    shown = repr(booking())
    assert not any(part in shown for part in ("Ada", "ada@", "0000001"))

"""What the desk is asked for when a booking is told of, in whatever order, by whomever."""

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.known.reservation import Change, ReservationTold
from cloud_jobs.known.telling import in_order, merged
from cloud_jobs.store.known import KnownStay
from tests.support.bookings_told import AT, LATER, NAME, SOON, TODAY, story, tell, whole
from tests.support.cloud_layer import Layer, NewUrl

WELCOME = (
    "SEND_MESSAGE",
    {
        "phone": "+390000000001",
        "template": {"name": "welcome"},
        "booking": NAME,
        "dedupe_key": "welcome:booking.com:5592650001",
    },
)


@pytest.fixture(scope="module")
def _one(new_url: NewUrl) -> Iterator[Layer]:
    made = Layer.make(new_url, [tell_desk])
    yield made
    made.close()


@pytest.fixture
def cloud(_one: Layer) -> Layer:
    """One layer for all tests, emptied: a store of its own for each takes longer than the test."""
    _one.empty()
    return _one


def names(cloud: Layer) -> list[str]:
    return [name for name, _ in cloud.commands()]


def test_a_booking_makes_its_guest_the_stay_and_a_welcome(cloud: Layer) -> None:
    tell(cloud, whole(language="de", email="ada@example.invalid"))
    assert cloud.commands() == [
        (
            "CREATE_GUEST",
            {
                "phone": "+390000000001",
                "name": "Ada Invented",
                "email": "ada@example.invalid",
                "language": "de",
            },
        ),
        (
            "UPSERT_BOOKING",
            {
                **NAME,
                "status": "confirmed",
                "phone": "+390000000001",
                "arrival": SOON.isoformat(),
                "departure": LATER.isoformat(),
                "party": 2,
            },
        ),
        WELCOME,
    ]


def test_what_is_told_again_is_nothing_new(cloud: Layer) -> None:
    tell(cloud, whole(), whole(), whole(5))
    assert names(cloud) == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"]


def test_a_thin_booking_is_welcomed_once_somebody_tells_the_rest(cloud: Layer) -> None:
    tell(cloud, story(arrival=SOON))
    assert names(cloud) == ["UPSERT_BOOKING"]
    tell(cloud, whole(1))
    assert names(cloud)[1:] == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"]


def test_what_is_older_fills_and_changes_nothing(cloud: Layer) -> None:
    tell(cloud, story(10, arrival=SOON, party=3), whole(0, party=2, unit="Suite"))
    _, booking = cloud.commands()[-2]
    assert (booking["party"], booking["unit"]) == (3, "Suite")
    tell(cloud, whole(1, party=4, unit="Attic", guest_name="Somebody Else"))
    assert len(names(cloud)) == 4


def test_a_cancelled_booking_is_cancelled_once_and_stays_so(cloud: Layer) -> None:
    gone = story(5, Change.CANCELLED)
    tell(cloud, whole(), gone, gone, whole(1, party=4))
    assert names(cloud)[3:] == ["CANCEL_BOOKING"]
    assert cloud.commands()[3] == ("CANCEL_BOOKING", NAME)


def test_what_was_cancelled_before_the_desk_heard_of_it_is_not_told(cloud: Layer) -> None:
    tell(cloud, story(5, Change.CANCELLED), whole())
    assert names(cloud) == []


def test_a_booking_that_only_the_desk_knows_is_cancelled(cloud: Layer) -> None:
    with cloud.store.writing() as session:
        session.add(KnownStay(**NAME, booking_id=1, status="confirmed", booked_at=AT, told_at=AT))
    tell(cloud, story(5, Change.CANCELLED))
    assert names(cloud) == ["CANCEL_BOOKING"]


def test_a_booking_that_is_there_again_is_for_a_person(cloud: Layer) -> None:
    tell(cloud, whole(), story(5, Change.CANCELLED), whole(6, change=Change.CHANGED))
    assert names(cloud).count("SEND_MESSAGE") == 1
    assert [kind for kind, _ in cloud.alerts()] == ["booking_doubtful"]


@pytest.mark.parametrize(
    ("arrival", "departure"),
    [
        (TODAY - timedelta(days=9), TODAY - timedelta(days=5)),
        (TODAY - timedelta(days=2), TODAY + timedelta(days=5)),
    ],
)
def test_who_has_arrived_already_is_not_welcomed(
    arrival: date, departure: date, cloud: Layer
) -> None:
    tell(cloud, whole(arrival=arrival, departure=departure))
    assert names(cloud) == ["CREATE_GUEST", "UPSERT_BOOKING"]


@pytest.mark.parametrize(
    "told", [whole(change=Change.CHANGED), whole(-8 * 24 * 60)], ids=["changed", "old"]
)
def test_who_booked_before_portiere_was_there_is_not_welcomed(
    told: ReservationTold, cloud: Layer
) -> None:
    tell(cloud, told)
    assert names(cloud) == ["CREATE_GUEST", "UPSERT_BOOKING"]


def test_a_change_that_comes_before_the_news_delays_the_welcome(cloud: Layer) -> None:
    tell(cloud, whole(5, change=Change.CHANGED), whole())
    assert names(cloud) == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"]


def test_a_stay_that_moves_behind_its_known_end_is_for_a_person(cloud: Layer) -> None:
    moved = LATER + timedelta(days=3)
    tell(cloud, whole(), story(5, Change.CHANGED, arrival=moved))
    _, booking = cloud.commands()[-1]
    assert "arrival" not in booking
    ((_, text),) = cloud.alerts()
    assert moved.isoformat() in text


def test_what_is_to_be_paid_goes_with_its_currency_or_not_at_all(cloud: Layer) -> None:
    tell(cloud, whole(balance=Decimal("120.00")), whole(1, balance=Decimal(80), currency="EUR"))
    first, second = [payload for name, payload in cloud.commands() if name == "UPSERT_BOOKING"]
    assert "balance" not in first
    assert (second["balance"], second["currency"]) == ("80", "EUR")


stories = st.builds(
    story,
    minutes=st.integers(0, 3),
    change=st.sampled_from([Change.NEW, Change.CHANGED]),
    guest_name=st.sampled_from([None, "Ada", "Bob"]),
    phone=st.sampled_from([None, "+390000000001"]),
    unit=st.sampled_from([None, "1", "2"]),
    arrival=st.sampled_from([None, SOON, LATER]),
    departure=st.sampled_from([None, LATER, LATER + timedelta(days=2)]),
)


@pytest.mark.thorough
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(stories, min_size=1, max_size=3, unique_by=lambda one: one.told_at))
def test_the_newest_wins_and_dates_are_in_order_in_any_order(told: list[ReservationTold]) -> None:
    newest = max(told, key=lambda one: one.told_at)
    for order in itertools.permutations(told):
        together: ReservationTold | None = None
        for one in order:
            together = merged(together, one)
        assert together is not None
        assert (together.told_at, together.change) == (newest.told_at, newest.change)
        for name in ("guest_name", "phone", "unit"):
            said = getattr(newest, name)
            assert said is None or getattr(together, name) == said
            anybody = {getattr(one, name) for one in told}
            assert (getattr(together, name) is None) == (anybody == {None})
        if all(in_order(one.arrival, one.departure) for one in told):
            assert in_order(together.arrival, together.departure)

"""The figures against the same tables counted in another way: day by day, row by row."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_jobs.agents.analytics import Period, measure
from cloud_jobs.agents.figures import Engagement, Figures, Verdict
from cloud_jobs.agents.goals import analyse, engagement_goal
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.agents import Upsell
from cloud_jobs.store.base import Base
from cloud_jobs.store.database import Store
from cloud_jobs.store.exchange import InboundEvent
from cloud_jobs.store.known import KnownRequest, KnownStay, KnownTurn
from tests.support import known_rows as rows
from tests.support.cloud_layer import SEAL_KEYS, NewUrl

ROME = ZoneInfo("Europe/Rome")
# Summer time ends in it: a day of 25 hours.
FIRST, LAST = date(2026, 10, 20), date(2026, 10, 31)
PERIOD = Period(FIRST, LAST, ROME)
SETTINGS = CloudSettings(seal_keys=SEAL_KEYS, units=3)
KINDS = ("early_checkin", "late_checkout", "transfer")
GUESTS = range(6)
ONE_OF_THEM = st.sampled_from([None, *(rows.index(n) for n in GUESTS)])
STATUSES = ("requested", "confirmed", "confirmed", "cancelled", "ended")
PRICES = st.sampled_from([None, Decimal(0), Decimal("12.50"), Decimal("0.01"), Decimal(90)])
SIZES = st.sampled_from([0, 1, 5, 10, 20])

# Mostly around the edges, where counting goes wrong; drawn evenly, as sampled_from does.
NEAR = [FIRST + timedelta(days=n) for n in (-3, -1, 0, 1, 5, 10, 11, 12, 14)]
MIDNIGHTS = [datetime.combine(day, time(), tzinfo=ROME) for day in NEAR]
moments = st.sampled_from(
    [
        midnight.astimezone(UTC) + timedelta(milliseconds=ms)
        for midnight in MIDNIGHTS
        for ms in (-1, 0, 12 * 3_600_000)
    ]
)
times_taken = st.sampled_from([None, 0, 1, 90_000, 299_999, 300_000, 300_001, 600_000])


@st.composite
def stays(draw: st.DrawFn) -> list[KnownStay]:
    numbers = count(1)
    made = []
    for _ in range(draw(SIZES)):
        arrival = draw(st.sampled_from([None, *NEAR]))
        nights = draw(st.sampled_from([None, 1, 1, 2, 3, 9]))
        departure = None
        if arrival is not None and nights is not None:
            departure = arrival + timedelta(days=nights)
        made.append(
            rows.stay(
                next(numbers),
                arrival,
                departure,
                guest=draw(ONE_OF_THEM),
                channel=draw(st.sampled_from(["direct", "Booking.com"])),
                status=draw(st.sampled_from(STATUSES)),
                party=draw(st.sampled_from([None, 1, 2, 5])),
                booked_at=draw(moments),
            )
        )
    return made


@st.composite
def turns(draw: st.DrawFn) -> list[KnownTurn]:
    numbers = count(1)
    made = []
    for _ in range(draw(SIZES)):
        received = None if draw(st.sampled_from(range(8))) == 0 else draw(moments)
        took = draw(times_taken)
        answered = None
        if received is not None and took is not None:
            answered = received + timedelta(milliseconds=took)
        made.append(
            rows.turn(
                next(numbers),
                received,
                guest=draw(ONE_OF_THEM),
                answered_at=answered,
                intent=draw(st.sampled_from([None, "wifi", "parking"])),
                silent=draw(st.sampled_from([True, False, False])),
            )
        )
    return made


@st.composite
def requests(draw: st.DrawFn) -> list[KnownRequest]:
    numbers = count(1)
    offered = ("offered", "accepted", "declined", "expired", "closed")
    made = []
    for _ in range(draw(SIZES)):
        was_offered = draw(st.sampled_from([True, True, False]))
        made.append(
            rows.request(
                next(numbers),
                draw(st.sampled_from(KINDS)),
                draw(st.sampled_from(offered if was_offered else ("made", "closed"))),
                was_offered=was_offered,
                made_at=draw(moments),
                price=draw(
                    st.none() | st.integers(0, 9000).map(lambda cents: Decimal(cents) / 100)
                ),
                currency="EUR",
            )
        )
    return made


@pytest.fixture(scope="module")
def store(new_url: NewUrl) -> Store:
    return Store(new_url())


def figures_of(store: Store, *kept: Base) -> Figures:
    """The figures of the period over these rows alone, which are not committed."""
    with store.reading() as session:
        session.add_all(kept)
        session.flush()
        return measure(session, SETTINGS, PERIOD)


def in_period(moment: datetime | None) -> bool:
    return moment is not None and FIRST <= moment.astimezone(ROME).date() <= LAST


@settings(max_examples=25, deadline=None)
@given(stays())
def test_nights_are_those_that_a_walk_through_the_days_finds(
    store: Store, found: list[KnownStay]
) -> None:
    kept = [one for one in found if one.status in {"confirmed", "ended"}]
    dated = [one for one in kept if one.arrival and one.departure]
    walk = [FIRST + timedelta(days=n) for n in range(PERIOD.days)]
    nights = [
        (one.booking_id, day)
        for day in walk
        for one in dated
        if one.arrival and one.departure and one.arrival <= day < one.departure
    ]
    arrived = [one for one in kept if one.arrival and FIRST <= one.arrival <= LAST]
    booked = [one for one in found if in_period(one.booked_at)]

    guests = [rows.guest(n, language=("it", "de", None)[n % 3]) for n in GUESTS]
    figures = figures_of(store, *guests, *found)
    stays = figures.stays
    assert stays.nights == len(nights)
    assert stays.staying == len({booking for booking, _ in nights})
    assert stays.occupancy == (Decimal(len(nights)) / (3 * 12)).quantize(Decimal("0.0001"))
    assert stays.arrived == len(arrived) == sum(stays.channels.values())
    assert sum(stays.languages.values()) == stays.arrived
    assert stays.channels == Counter(one.channel for one in arrived)
    assert stays.undated == len([one for one in kept if one in booked and one not in dated])
    assert stays.party.count == len([one for one in arrived if one.party is not None])
    assert stays.length_nights.count == len([one for one in arrived if one in dated])
    assert figures.bookings.made == len(booked) == sum(figures.bookings.channels.values())
    assert figures.bookings.cancelled == len([one for one in booked if one.status == "cancelled"])


@settings(max_examples=25, deadline=None)
@given(turns())
def test_every_message_is_answered_silent_or_unanswered(
    store: Store, found: list[KnownTurn]
) -> None:
    received = [one for one in found if in_period(one.received_at)]
    took = [
        one.answered_at - one.received_at
        for one in received
        if one.answered_at and one.received_at and not one.silent
    ]
    answers = figures_of(store, *found).answers
    assert answers.received == len(received) == sum(answers.intents.values())
    assert answers.received == answers.answered + answers.silent + answers.unanswered
    assert answers.answered == len(took)
    assert answers.within_goal == sum(one < timedelta(minutes=5) for one in took)
    seconds = sorted(Decimal(one // timedelta(milliseconds=1)) / 1000 for one in took)
    for percent, value in ((50, answers.p50_seconds), (95, answers.p95_seconds)):
        if not seconds:
            assert value is None
            continue
        # Nearest rank: at least so many are not above it, and it is the least with that.
        assert value in seconds
        assert 100 * sum(one <= value for one in seconds) >= percent * len(seconds)
        assert 100 * sum(one < value for one in seconds) < percent * len(seconds)


@pytest.mark.thorough
@settings(max_examples=25, deadline=None)
@given(requests(), st.sets(st.integers(1, 12)))
def test_offers_are_of_the_agent_or_not_and_end_in_one_way(
    store: Store, found: list[KnownRequest], by_agent: set[int]
) -> None:
    upsells = [
        Upsell(
            booking_id=number,
            kind="transfer",
            state="made",
            request_id=number,
            asked_at=rows.LONG_AGO,
        )
        for number in by_agent
    ]
    offers = [one for one in found if one.was_offered and in_period(one.made_at)]
    accepted = [one for one in offers if one.state in {"accepted", "closed"}]
    figures = figures_of(store, *upsells, *found)
    for part, is_agents in ((figures.upsells, True), (figures.asked, False)):
        here = [one for one in offers if (one.request_id in by_agent) is is_agents]
        assert part.made == len(here)
        assert part.made == part.accepted + part.declined + part.expired + part.open
        assert part.accepted == len([one for one in here if one in accepted])
        assert part.open == len([one for one in here if one.state == "offered"])
        for name in ("made", "accepted", "declined", "expired", "open"):
            assert getattr(part, name) == sum(getattr(p, name) for p in part.by_kind.values())
    prices = [one.price for one in accepted if one.price is not None]
    assert sum(figures.taken.values()) == sum(prices)


@settings(max_examples=15, deadline=None)
@given(stays(), turns())
def test_engaged_are_guests_in_the_house_who_wrote(
    store: Store, found: list[KnownStay], written: list[KnownTurn]
) -> None:
    guests = {
        one.guest
        for one in found
        if one.status in {"confirmed", "ended"}
        and one.arrival
        and one.departure
        and one.guest
        and one.arrival <= LAST
        and one.departure > FIRST
    }
    wrote = {one.guest for one in written if in_period(one.received_at)}
    engagement = figures_of(store, *found, *written).engagement
    assert (engagement.guests, engagement.wrote) == (len(guests), len(guests & wrote))


def test_the_figures_of_two_halves_make_up_those_of_the_whole(store: Store) -> None:
    """What is counted by a moment or a night is in one half or the other, also as clocks change."""
    found: list[Any] = []
    for hour in range(13 * 24):
        moment = datetime(2026, 10, 19, 21, 30, tzinfo=UTC) + timedelta(hours=hour)
        found.append(rows.turn(hour, moment, answered_at=moment, intent="wifi"))
    found += [
        rows.stay(n, FIRST + timedelta(days=n), FIRST + timedelta(days=n + 4)) for n in range(8)
    ]
    middle = date(2026, 10, 25)
    with store.reading() as session:
        session.add_all(found)
        session.flush()
        whole = measure(session, SETTINGS, PERIOD)
        halves = [
            measure(session, SETTINGS, Period(first, last, ROME))
            for first, last in ((FIRST, middle), (middle + timedelta(days=1), LAST))
        ]
    assert whole.answers.received == sum(half.answers.received for half in halves) == 12 * 24 + 1
    assert whole.stays.nights == sum(half.stays.nights for half in halves) == 8 * 4
    assert whole.stays.arrived == sum(half.stays.arrived for half in halves) == 8


def test_what_a_person_was_called_for_is_counted_and_nothing_else(store: Store) -> None:
    moment = datetime.combine(FIRST, time(12), tzinfo=ROME)
    told = [
        InboundEvent(
            event_id=name + str(at),
            name=name,
            source="mac",
            occurred_at=at,
            received_at=at,
            payload=b"",
        )
        for name in ("conversation.handed_over", "conversation.given_back")
        for at in (moment, moment - timedelta(days=1))
    ]
    assert figures_of(store, *told).answers.handed_over == 1


def test_no_goal_is_reached_or_missed_by_few_cases(store: Store) -> None:
    with store.reading() as session:
        nothing = analyse(session, SETTINGS, PERIOD)
    assert {goal.verdict for goal in nothing.goals} == {Verdict.NOT_ENOUGH_DATA}
    assert [goal.cases for goal in nothing.goals] == [0, 0, 0]


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        ((40, 24), (40, 20), Verdict.REACHED),  # 60 % after 50 %: a fifth more
        ((40, 23), (40, 20), Verdict.MISSED),
        ((19, 19), (40, 20), Verdict.NOT_ENOUGH_DATA),
        ((40, 24), (40, 0), Verdict.NOT_ENOUGH_DATA),  # a fifth more than nothing
    ],
)
def test_engagement_is_measured_against_the_period_before(
    now: tuple[int, int], before: tuple[int, int], verdict: Verdict
) -> None:
    both = [Engagement(guests=guests, wrote=wrote, share=None) for guests, wrote in (now, before)]
    assert engagement_goal(*both).verdict is verdict


def test_the_agents_offers_are_what_acceptance_is_measured_by(store: Store) -> None:
    at = datetime.combine(FIRST, time(12), tzinfo=ROME)
    offers = [
        rows.request(n, "transfer", "accepted" if n < 7 else "declined", made_at=at)
        for n in range(20)
    ]
    # Taken after the guest had asked: they don't count.
    offers += [rows.request(n, "transfer", "accepted", made_at=at) for n in range(20, 60)]
    ours = [
        Upsell(booking_id=n, kind="transfer", state="made", request_id=n, asked_at=at)
        for n in range(20)
    ]
    with store.reading() as session:
        session.add_all([*offers, *ours])
        session.flush()
        _, acceptance, _ = analyse(session, SETTINGS, PERIOD).goals
    assert (acceptance.measured, acceptance.cases) == ("35.0 %", 20)
    assert acceptance.verdict is Verdict.REACHED

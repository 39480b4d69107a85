"""A month of a house in a minute: nothing is lost, pauses keep their hours, costs add up.

October, whose last Sunday has an hour twice. All jobs run but two: the desk's health is looked at
every minute, and that is 45,000 runs; Smoobu, which costs nothing, is tried by itself. What looks
every few minutes whether there is something to do looks every half an hour or more seldom here.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select

from app import logs
from app.heap import settle_heap
from cloud_jobs.costs.months import Month, spent
from cloud_jobs.jobs import dynamic_pause, night_pause
from cloud_jobs.jobs.all import all_jobs
from cloud_jobs.runtime.job import Every, Queue
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.exchange import InboundEvent
from cloud_jobs.store.runs import Pause, Run, StartedBy, State
from tests.support.cloud_layer import SEAL_KEYS, Layer, NewUrl
from tests.support.month import DAY, ROME, House, batch, stays, warning
from tests.support.outside import aeroapi, openweather
from tests.support.outside.server import Outside

LEFT_OUT = ("monitor-mac-health", "smoobu-sync")
SELDOM = {
    "watch-flights": timedelta(minutes=30),
    "night-pause": timedelta(hours=1),
    "dynamic-pause": timedelta(hours=1),
    "message-costs": timedelta(hours=6),
    "refused-bookings": timedelta(hours=6),
    "replay-buffered": timedelta(hours=6),
}
FIRST, END = date(2026, 10, 1), date(2026, 11, 1)
AUTUMN = date(2026, 10, 25)
# Nobody is in the house, nobody comes.
EMPTY = {date(2026, 10, day) for day in range(12, 17)}
OCTOBER = Month("2026-10")
SET_FREE, SET_PRICE, DOLLAR = Decimal("0.50"), Decimal("0.005"), Decimal("0.86")
CALLS_FREE, CALL_PRICE, POUND = 10, Decimal("0.0012"), Decimal("1.14")
MESSAGES = {
    ("service", "IT"): Decimal("0.03"),
    ("service", "DE"): Decimal("0.055"),
    ("marketing", "IT"): Decimal("0.0691"),
}
OTHER = {"service": Decimal("0.0077"), "marketing": Decimal("0.0604")}
FIXED = Decimal("5.50")
# Little is free, so that much is paid for.
LIST = f"""
exchange: {{EUR: 1, USD: {DOLLAR}, GBP: {POUND}}}
allowances:
  aeroapi: {{amount: {SET_FREE}, currency: USD, per: month}}
  one_call: {{units: {CALLS_FREE}, per: day}}
items:
  flightaware.result_set:
    {{group: flights, price: {SET_PRICE}, currency: USD, allowance: aeroapi}}
  openweather.call: {{group: weather, price: {CALL_PRICE}, currency: GBP, allowance: one_call}}
  whatsapp.service:
    {{group: messages, currency: USD, by_country: {{IT: 0.03, DE: 0.055, other: 0.0077}}}}
  whatsapp.marketing: {{group: messages, currency: USD, by_country: {{IT: 0.0691, other: 0.0604}}}}
  model.tokens_in: {{group: model, price: 0, per: 1000000, currency: USD}}
  model.tokens_out: {{group: model, price: 0, per: 1000000, currency: USD}}
fixed:
  vps: {{group: hosting, price: 4.50, currency: EUR}}
  domain: {{group: hosting, price: 1.00, currency: EUR}}
budgets: {{currency: EUR, total: 500.00, groups: {{}}}}
"""


def rome(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ROME)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, new_url: NewUrl) -> Iterator[House]:
    """October has been played, up to ten in the morning of the first of November."""
    logs.configure("month", "ERROR", None)  # a line a run would be a minute's work
    directory = tmp_path_factory.mktemp("month")
    with Outside() as outside:
        given = settings(directory, outside)
        jobs = all_jobs(CloudSettings(_env_file=None, seal_keys=SEAL_KEYS, **given)).by_name
        for name in LEFT_OUT:
            del jobs[name]
        for name, interval in SELDOM.items():
            jobs[name] = replace(jobs[name], trigger=Every(interval))
        layer = Layer.make(new_url, jobs.values(), **given)
        chance = random.Random(2026)
        happenings = list(stays(FIRST - 3 * DAY, END, EMPTY, chance))
        happenings += [warning(rome(date(2026, 10, day), 22, 30), 10) for day in (6, 13, 20, 25)]
        happenings += [batch(rome(date(2026, 10, day), 3, 10), day) for day in (8, 25)]
        happenings = [one for one in happenings if one.at >= rome(FIRST, 0)]
        settle_heap()  # as the processes do
        with time_machine.travel(rome(FIRST, 0), tick=False) as clock:
            played = House(layer, outside, clock, seed=10)
            played.play(happenings, rome(END, 10))
            yield played
        layer.close()


def settings(directory: Path, outside: Outside) -> dict[str, Any]:
    costs = directory / "costs.yml"
    costs.write_text(LIST)
    return {
        "costs_file": costs,
        "aeroapi_url": f"{outside.url}/aeroapi",
        "aeroapi_key": aeroapi.KEY,
        "openweather_url": outside.url,
        "openweather_key": openweather.KEY,
        "latitude": Decimal("41.9"),
        "longitude": Decimal("12.5"),
    }


def test_nothing_is_lost_and_nothing_is_done_twice(house: House) -> None:
    told = Counter(event.event_id for event in house.told)
    assert len(told) > 3000
    assert set(told.values()) == {1}
    with house.layer.store.reading() as session:
        kept = session.scalar(
            select(func.count()).select_from(InboundEvent).where(InboundEvent.source == "mac")
        )
        by_state = dict(session.execute(select(Run.state, func.count()).group_by(Run.state)).all())
        by_event = select(Run.event_id, Run.job).where(Run.started_by == StartedBy.EVENT)
        started = Counter((event_id, job) for event_id, job in session.execute(by_event))
    print(f"events {len(told)}, runs {by_state}")
    assert kept == len(told)
    assert set(by_state) == {State.SUCCEEDED}
    waited = {
        (event.event_id, job.name): 1
        for event in house.told
        for job in house.layer.jobs.on(event.name)
    }
    assert waited
    assert waited.items() <= started.items()


def test_pauses_keep_their_hours_through_the_change_of_summer_time(house: House) -> None:
    with house.layer.store.reading() as session:
        pauses = session.scalars(select(Pause).where(Pause.queue == Queue.REPORTS)).all()
    nights = [pause for pause in pauses if pause.by == night_pause.BY]
    hours = {
        pause.since.astimezone(ROME).date(): tuple(
            f"{at.astimezone(ROME):%H:%M}" for at in (pause.since, pause.until)
        )
        for pause in nights
    }
    empty = [pause for pause in pauses if pause.by == dynamic_pause.BY]
    assert set(hours.values()) == {("02:00", "08:00")}
    missed = {FIRST + DAY * number for number in range(31)} - set(hours)
    assert missed <= {
        night
        for pause in empty
        for night in (FIRST + DAY * number for number in range(31))
        if pause.since <= rome(night, 2) <= pause.until
    }
    assert empty
    assert {pause.until - pause.since for pause in nights} == {
        timedelta(hours=6),
        timedelta(hours=7),
    }
    (long,) = [pause for pause in nights if pause.until - pause.since == timedelta(hours=7)]
    assert long.since.astimezone(ROME).date() == AUTUMN


def test_costs_are_those_of_the_calls_that_the_others_counted(house: House) -> None:
    with house.layer.store.reading() as session:
        found = spent(session, house.layer.settings, OCTOBER)
    by_item = {line.item: line for line in found.lines}
    flights = by_item["flightaware.result_set"]
    weather = by_item["openweather.call"]
    assert flights.quantity == _of_october(house.counts.flights)
    assert weather.quantity == _of_october(house.counts.weather)
    print({line.item: (line.quantity, str(line.amount)) for line in found.lines})
    assert cents(flights.amount) == cents(_flights(house))
    assert cents(weather.amount) == cents(_weather(house))
    messages = [line for line in found.lines if line.group == "messages"]
    assert sum(line.quantity for line in messages) == _of_october(house.counts.messages)
    assert cents(sum((line.amount for line in messages), Decimal(0))) == cents(_messages(house))
    assert cents(found.total) == cents(_total(house))
    assert min(flights.amount, weather.amount, *(line.amount for line in messages)) > 0


def test_the_monthly_report_says_what_october_cost(house: House) -> None:
    (run,) = house.layer.runs("monthly-costs")[-1:]
    assert run.created_at == rome(END, 9)
    report = house.layer.output(run)
    assert report is not None
    assert report["month"] == "2026-10"
    assert cents(Decimal(report["total"])) == cents(_total(house))
    assert sum(map(Decimal, report["days"].values())) == Decimal(report["total"])
    with house.layer.store.reading() as session:
        pauses = session.scalars(select(Pause)).all()
    paused = Counter[str]()
    for pause in pauses:
        until = min(pause.until, rome(END, 0))
        if pause.since < until:
            paused[pause.queue] += int((until - pause.since) / timedelta(seconds=1))
    print(report["paused"])
    assert {queue: round(seconds / 3600, 2) for queue, seconds in paused.items()} == report[
        "paused"
    ]["hours"]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _of_october(counts: Counter[Any]) -> int:
    return sum(count for key, count in counts.items() if key[0] == OCTOBER.name)


def _flights(house: House) -> Decimal:
    """A month of UTC has so much free; October began in September's last two hours."""
    return sum(
        (
            max(Decimal(0), calls * SET_PRICE - SET_FREE) * DOLLAR
            for (month, _), calls in house.counts.flights.items()
            if month == OCTOBER.name
        ),
        Decimal(0),
    )


def _weather(house: House) -> Decimal:
    return sum(
        (
            max(0, calls - CALLS_FREE) * CALL_PRICE * POUND
            for (month, _), calls in house.counts.weather.items()
            if month == OCTOBER.name
        ),
        Decimal(0),
    )


def _messages(house: House) -> Decimal:
    return sum(
        (
            MESSAGES.get((purpose, country), OTHER[purpose]) * sent * DOLLAR
            for (month, purpose, country), sent in house.counts.messages.items()
            if month == OCTOBER.name
        ),
        Decimal(0),
    )


def _total(house: House) -> Decimal:
    return FIXED + _flights(house) + _weather(house) + _messages(house)

"""A month of a house of eight rooms, played in seconds: real jobs, the clock, and doubles to ask.

What is invented: 44 stays, of which 26 come by plane, and what the desk sends to their guests; the
first days of the month nobody comes. The desk itself is not played.
"""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import time_machine

from cloud_jobs.costs.months import Month
from cloud_jobs.costs.report import Report
from cloud_jobs.costs.reporting import report_of
from cloud_jobs.jobs.dynamic_pause import dynamic_pause
from cloud_jobs.jobs.message_costs import message_costs
from cloud_jobs.jobs.monthly_costs import by_clock, monthly_costs
from cloud_jobs.jobs.night_pause import night_pause
from cloud_jobs.jobs.over_budget import over_budget
from cloud_jobs.jobs.watch_flights import watch_flights
from cloud_jobs.jobs.watch_weather import watch_weather
from cloud_jobs.runtime.clock import tick
from cloud_jobs.runtime.job import Cron, Job
from cloud_jobs.store.known import KnownMessage
from tests.support.cloud_layer import Layer, NewUrl
from tests.support.known_stays import add_stay
from tests.support.outside import aeroapi, openweather
from tests.support.outside.server import Outside

MONTH: Final = Month("2026-11")
STEP: Final = timedelta(minutes=15)
# What looks whether something is to be done does so here when something is, and not in between:
# that would be most of the time that a month takes.
_WATCHING: Final = (
    watch_flights,
    watch_weather,
    replace(message_costs, trigger=Cron("0 4 * * *")),
    replace(over_budget, trigger=Cron("5 4 * * *")),
    monthly_costs,
)
_PAUSING: Final = (
    replace(night_pause, trigger=Cron("0 2,8 * * *")),
    replace(dynamic_pause, trigger=Cron("0 */6 * * *")),
)
_STAYS, _FLYING, _EMPTY_DAYS = 44, 26, 4
_COUNTRIES: Final = ("IT", "IT", "DE", "DE", "FR", "ES", "GB")


@dataclass(frozen=True)
class Played:
    """What came of it: the report, and how often the doubles were asked in the month."""

    report: Report
    monthly: dict[str, Any]
    flights_asked: int
    weather_asked: int


def play(new_url: NewUrl, *, pausing: bool) -> Played:
    """Play the month, with what pauses by night and while nobody comes, or without."""
    jobs: tuple[Job[Any], ...] = (*_WATCHING, *_PAUSING) if pausing else _WATCHING
    with Outside() as outside:
        outside.openweather.daily = 1_000_000  # its double counts no days
        layer = Layer.make(
            new_url,
            jobs,
            aeroapi_url=f"{outside.url}/aeroapi",
            aeroapi_key=aeroapi.KEY,
            openweather_url=outside.url,
            openweather_key=openweather.KEY,
            latitude="41.9",
            longitude="12.5",
            alert_by_desk="all",
        )
        try:
            return _play(layer, outside)
        finally:
            layer.close()


def _play(layer: Layer, outside: Outside) -> Played:
    zone = layer.settings.zone
    lands = _invent(layer, outside)
    now, ends = MONTH.since(zone), MONTH.until(zone) + timedelta(hours=9)  # the report's tick
    asked = 0, 0
    with time_machine.travel(now, tick=False) as clock:
        while now <= ends:
            for number in [number for number, at in lands.items() if at <= now]:
                outside.aeroapi.land(number)
                del lands[number]
            with layer.store.writing() as session:
                started = tick(session, layer.jobs, layer.settings, layer.seal, now)
            for run_id in started:
                layer.runner.execute(run_id)
            if now.minute == 0:
                layer.run_all()  # what waited for the end of a pause
            if now < MONTH.until(zone):
                asked = outside.aeroapi.calls, outside.openweather.calls
            now += STEP
            clock.move_to(now)
    with layer.store.reading() as session:
        report = report_of(session, layer.settings, MONTH, by_clock(layer.jobs, zone), now)
    monthly = layer.runs(monthly_costs)[-1]  # the first told of October
    return Played(report, layer.output(monthly) or {}, *asked)


def _invent(layer: Layer, outside: Outside) -> dict[str, datetime]:
    """The stays, their flights, and what their guests are sent; when each flight lands."""
    chance = random.Random(20261101)
    lands: dict[str, datetime] = {}
    for number in range(1, _STAYS + 1):
        day = MONTH.first + timedelta(days=chance.randint(_EMPTY_DAYS + 1, 29))
        fields: dict[str, Any] = {"departure": day + timedelta(days=chance.randint(1, 4))}
        if number <= _FLYING:
            flight = f"AZ{1500 + number}"
            clock = time(chance.randint(7, 22), chance.choice([0, 15, 30, 45]))
            lands[flight] = datetime.combine(day, clock, layer.settings.zone).astimezone(UTC)
            outside.aeroapi.put(flight, lands[flight])
            fields["flight_number"] = flight
        add_stay(layer, number, day, **fields)
        _send(layer, number, day, chance.choice(_COUNTRIES))
    return lands


def _send(layer: Layer, number: int, day: date, country: str) -> None:
    """Three templates of service to each guest, and every third is asked for a review."""
    purposes = ["service"] * 3 + ["marketing"] * (number % 3 == 0)
    noon = datetime.combine(day, time(12), layer.settings.zone).astimezone(UTC)
    with layer.store.writing() as session:
        for count, purpose in enumerate(purposes):
            session.add(
                KnownMessage(
                    outbox_id=10 * number + count,
                    kind="notice",
                    sent_as="template",
                    language="it",
                    purpose=purpose,
                    country=country,
                    state="delivered",
                    told_at=noon,
                )
            )

"""A month at an invented house, played: guests, their flights, the desk that tells of them.

The desk is a few lines here: it carries every command out at once, and tells what the real one
would. What it told that costs, and what the services outside were asked, is counted beside.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import time_machine
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from cloud_jobs.api.parts import Parts
from cloud_jobs.api.taking import take_told
from cloud_jobs.exchange.commands import ISSUED, offered, payload_of
from cloud_jobs.runtime.clock import next_due
from cloud_jobs.runtime.events import Event
from cloud_jobs.runtime.executing import Runner, nobody
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Run, State
from tests.support.cloud_layer import Layer
from tests.support.outside.server import Outside

ROME: Final = ZoneInfo("Europe/Rome")
DAY: Final = timedelta(days=1)
COUNTRIES: Final = ("IT", "DE", "FR", "GB", "US")
TOLD_TOGETHER: Final = 8
_MOMENT: Final = timedelta(seconds=5)
_RUNS: Final = table(Run)
_QUEUED: Final = _RUNS.c.state == State.QUEUED
_WAITING: Final = select(func.min(_RUNS.c.not_before)).where(_QUEUED)
_DUE: Final = (
    select(_RUNS.c.run_id)
    .where(_QUEUED, _RUNS.c.not_before <= bindparam("now"))
    .order_by(_RUNS.c.seq)
)


@dataclass(frozen=True)
class Happening:
    """What happens at a moment: events of the desk, or something at the services outside."""

    at: datetime
    events: tuple[Event, ...] = ()
    put: tuple[str, datetime] | None = None
    """A flight and when it is to arrive."""
    delay: tuple[str, timedelta] | None = None
    """A flight and how late it will be."""
    land: str | None = None
    """A flight."""
    warning: dict[str, Any] | None = None


@dataclass
class Counts:
    """What was used, by the property's month and by what the providers' free parts go by."""

    flights: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (the property's month, the month of UTC)."""
    weather: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (the property's month, the day of UTC)."""
    messages: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Templates delivered, by (the property's month, purpose, country)."""


def stays(first: date, last: date, empty: set[date], chance: random.Random) -> Iterator[Happening]:
    """Guests come nearly every day, by air or not; they write, by day and by night."""
    number = 0
    day = first
    while day < last:
        for _ in range(chance.choice((1, 2, 2, 3))):
            nights = chance.choice((1, 2, 3, 4))
            if not any(day + DAY * night in empty for night in range(-1, nights + 2)):
                number += 1
                yield from _stay(number, day, nights, chance)
        day += DAY


def _stay(number: int, arrival: date, nights: int, chance: random.Random) -> Iterator[Happening]:
    who, departure = f"{number:064x}", arrival + DAY * nights
    booked = _at(arrival - DAY * chance.choice((0, 2, 9)), time(chance.randrange(24), 17))
    by_air = chance.random() < 0.6
    flight = f"AZ{1000 + number}"
    stay = {
        "booking_id": number,
        "channel": "direct",
        "code": f"D-{number}",
        "unit": f"Room {number % 9}",
        "arrival": arrival.isoformat(),
        "departure": departure.isoformat(),
        "party": 2,
        "flight_number": flight if by_air else None,
    }
    guest = {"language": chance.choice(("it", "en", "de")), "consent": "given"}
    yield _told(booked, "guest.created", who, guest)
    yield _told(booked, "booking.changed", who, stay | {"status": "confirmed"})
    yield _told(_at(departure, time(11)), "stay.ended", who, stay | {"status": "ended"})
    if by_air:
        lands = _at(arrival, time(chance.randrange(9, 23), 20))
        yield Happening(booked, put=(flight, lands))
        late = timedelta(minutes=chance.choice((0, 0, 50, 190)))
        if late:
            yield Happening(lands - timedelta(hours=3), delay=(flight, late))
        yield Happening(lands + late, land=flight)
    hours = sorted(chance.uniform(0, 24 * nights) for _ in range(chance.randrange(34, 46)))
    turns = [
        turn
        for number_of_turn, hour in enumerate(hours)
        for turn in _turn(
            who,
            number * 1000 + number_of_turn,
            _at(arrival, time(15)) + timedelta(hours=hour),
            guest["language"],
        )
    ]
    # The desk tells many at once.
    for first in range(0, len(turns), TOLD_TOGETHER):
        told = tuple(turns[first : first + TOLD_TOGETHER])
        yield Happening(told[-1].occurred_at, told)


def _turn(who: str, inbox: int, asked: datetime, language: str) -> Iterator[Event]:
    """A guest's message and its answer."""
    received = {"inbox_id": inbox, "received_at": asked.isoformat()}
    yield Event(f"message.received:{inbox}", "message.received", "mac", asked, received, who)
    answered = {
        "inbox_id": inbox,
        "intents": ["wifi"],
        "language": language,
        "agent": "concierge",
        "silent": False,
    }
    at = asked + _MOMENT
    yield Event(f"message.answered:{inbox}", "message.answered", "mac", at, answered, who)


def warning(at: datetime, hours: int) -> Happening:
    """A storm is warned of, from two hours later on for some hours."""
    starts = at + timedelta(hours=2)
    return Happening(
        at,
        warning={
            "sender_name": "Invented Weather Service",
            "event": "Orange Thunderstorm Warning",
            "start": int(starts.timestamp()),
            "end": int((starts + timedelta(hours=hours)).timestamp()),
            "description": "Storms.",
            "tags": ["Thunderstorm"],
        },
    )


def batch(at: datetime, number: int) -> Happening:
    """The host writes to all in the house."""
    payload = {"text": "The lift is out of order.", "language": "en", "to": "in_house"}
    return _told(at, "notifications.batch", None, payload | {"number": number})


def _told(at: datetime, name: str, guest: str | None, payload: dict[str, Any]) -> Happening:
    number = payload.get("inbox_id", payload.get("booking_id", payload.get("number", guest)))
    event = Event(f"{name}:{number}", name, "mac", at, payload, guest)
    return Happening(at, (event,))


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, ROME).astimezone(UTC)


class House:
    """The cloud layer of a house, its desk and the world around, on one clock that is moved."""

    def __init__(
        self, layer: Layer, outside: Outside, clock: time_machine.Traveller, seed: int
    ) -> None:
        self.layer = layer
        self.counts = Counts()
        self.told: list[Event] = []
        self._outside = outside
        self._clock = clock
        self._chance = random.Random(seed)
        self._outbox = 0
        self._parts = Parts(layer.settings, layer.store, layer.seal, layer.jobs, nobody)
        # As the processes do: what is started is handed on, and the desk hears of its commands.
        self._started: list[str] = []
        self._runner = Runner(
            layer.settings, layer.store, layer.seal, layer.jobs, dispatch=self._started.extend
        )
        self._is_asked = False
        layer.store.after_writing(self._heard)

    def play(self, happenings: list[Happening], until: datetime) -> None:
        """Let all of it happen, the clock tick and the workers work, up to a moment."""
        coming = sorted(happenings, key=lambda one: one.at)
        position = 0
        while True:
            times = [coming[position].at] if position < len(coming) else []
            due, waiting = self._next()
            now = min(time for time in (*times, due, waiting) if time is not None)
            if now > until:
                return
            self._clock.move_to(max(now, datetime.now(UTC)))
            while position < len(coming) and coming[position].at <= now:
                self._happen(coming[position])
                position += 1
            if due is not None and due <= now:
                self._started += self.layer.tick(datetime.now(UTC))
            if waiting is not None and waiting <= now:
                self._started += self._due(datetime.now(UTC))
            self._work()

    def tell(self, events: list[Event]) -> None:
        """The desk tells something, by the way that its API takes it."""
        self._started += take_told(self._parts, events, datetime.now(UTC))
        self.told += events

    def _next(self) -> tuple[datetime | None, datetime | None]:
        """When the clock ticks next, and when a run may work that waits."""
        with self.layer.store.reading() as session:
            due = next_due(session, self.layer.jobs, ROME)
            waiting = session.connection().scalar(_WAITING)
        return due, waiting

    def _heard(self, session: Session) -> None:
        self._is_asked = session.info.pop(ISSUED, False) or self._is_asked

    def _happen(self, one: Happening) -> None:
        if one.events:
            self.tell(list(one.events))
        if one.warning:
            self._outside.openweather.alerts = [one.warning]
        if one.put:
            self._outside.aeroapi.put(*one.put)
        if one.delay:
            self._outside.aeroapi.delay(*one.delay)
        if one.land:
            self._outside.aeroapi.land(one.land)

    def _work(self) -> None:
        now = datetime.now(UTC)
        calls = self._outside.aeroapi.calls, self._outside.openweather.calls
        while run_ids := list(self._started):
            self._started.clear()
            self._runner.execute_all(run_ids)
            if self._is_asked:
                self._carry_out()
        month = f"{now.astimezone(ROME):%Y-%m}"
        self.counts.flights[month, f"{now:%Y-%m}"] += self._outside.aeroapi.calls - calls[0]
        self.counts.weather[month, f"{now:%Y-%m-%d}"] += self._outside.openweather.calls - calls[1]

    def _due(self, now: datetime) -> list[str]:
        with self.layer.store.reading() as session:
            return list(session.connection().scalars(_DUE, {"now": now}))

    def _carry_out(self) -> None:
        """What the desk was asked for is done; of messages it tells how far they got."""
        self._is_asked = False
        with self.layer.store.reading() as session:
            found = [
                (command.command_id, command.name, payload_of(self.layer.seal, command))
                for command in offered(session, 1000)
            ]
        for command_id, name, payload in found:
            now = datetime.now(UTC)
            done = {"id": command_id, "state": "done", "result": {}}
            events = [Event(f"finished:{command_id}", "command.finished", "mac", now, done)]
            if name == "SEND_MESSAGE" and "template" in payload:
                events += self._sent(payload, now)
            self.tell(events)

    def _sent(self, payload: dict[str, Any], now: datetime) -> Iterator[Event]:
        self._outbox += 1
        country = self._chance.choice(COUNTRIES)
        template = payload["template"]["name"]
        purpose = "marketing" if "offer" in template or "upsell" in template else "service"
        message = {
            "outbox_id": self._outbox,
            "kind": "command",
            "template": template,
            "sent_as": "template",
            "language": "it",
            "purpose": purpose,
            "country": country,
        }
        for state in ("sent", "delivered", "read"):
            name = f"message.{state}"
            event_id = f"{name}:{self._outbox}:1"
            yield Event(event_id, name, "mac", now, message, payload.get("guest"))
        self.counts.messages[f"{now.astimezone(ROME):%Y-%m}", purpose, country] += 1


def beyond(used: int, free: Decimal, price: Decimal) -> Decimal:
    """What units cost beyond what is free of their price."""
    return max(Decimal(0), used * price - free)

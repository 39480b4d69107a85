"""Smoobu, flights and the weather through real processes: API, worker, the services as a program.

What the desk is asked for is read from the store, where the API offers it from; that the desk does
it is shown by the rehearsal.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from cloud_jobs.jobs.all import all_jobs
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.money import Metered
from cloud_jobs.store.sources import Flight
from tests.support import known_rows
from tests.support.cloud_processes import Cloud, cloud
from tests.support.outside import aeroapi, openweather, smoobu
from tests.support.processes import PORTIERE, Process, eventually, free_port, start_and_wait

SECRET = "invented-word-that-smoobu-is-given"
NUMBER = "AZ1572"
HOUR = timedelta(hours=1)


@dataclass
class World:
    """A cloud layer whose API and worker run, and the services outside as a program."""

    cloud: Cloud
    api: str
    outside: str

    def control(self, what: str, body: dict[str, Any]) -> Any:
        """Have the services be otherwise."""
        answer = httpx.post(f"{self.outside}/control/{what}", json=body, timeout=10)
        return answer.raise_for_status().json()

    def calls(self) -> dict[str, int]:
        """How often each was asked."""
        found: dict[str, int] = httpx.get(f"{self.outside}/control/calls").json()
        return found

    def run(self, job: str, times: int) -> None:
        """Start a job as an engineer does, and wait until it has run so often."""
        env = self.cloud.env
        subprocess.run([PORTIERE, "cloud", "start", job], env=env, check=True, capture_output=True)
        self.cloud.at_least(all_jobs(self.cloud.settings).by_name[job], times)

    def asked(self, at_least: int) -> list[tuple[str, dict[str, Any]]]:
        """What the desk was asked for, in order, once there is so much."""

        def found() -> list[tuple[str, dict[str, Any]]] | None:
            with self.cloud.store.reading() as session:
                rows = session.scalars(select(Command).order_by(Command.seq)).all()
            if len(rows) < at_least:
                return None
            return [(row.name, self._opened(row)) for row in rows]

        return eventually(found, f"{at_least} commands")

    def _opened(self, row: Command) -> dict[str, Any]:
        text = self.cloud.seal.open(row.payload, f"commands.payload:{row.command_id}")
        opened: dict[str, Any] = json.loads(text)
        return opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    api, outside = f"127.0.0.1:{free_port()}", free_port()
    url = f"http://127.0.0.1:{outside}"
    services = Process(
        [sys.executable, "-m", "tests.support.outside", "--port", f"{outside}"],
        {},
        tmp_path / "outside.log",
    )
    overrides = {
        "PORTIERE_CLOUD_BIND": api,
        "PORTIERE_SMOOBU_URL": url,
        "PORTIERE_SMOOBU_KEY": smoobu.KEY,
        "PORTIERE_SMOOBU_SECRET": smoobu.SECRET,
        "PORTIERE_SMOOBU_WEBHOOK_SECRET": SECRET,
        "PORTIERE_AEROAPI_URL": f"{url}/aeroapi",
        "PORTIERE_AEROAPI_KEY": aeroapi.KEY,
        "PORTIERE_OPENWEATHER_URL": url,
        "PORTIERE_OPENWEATHER_KEY": openweather.KEY,
        "PORTIERE_LATITUDE": "41.9",
        "PORTIERE_LONGITUDE": "12.5",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    start_and_wait(services, url)
    try:
        with cloud(tmp_path, **overrides) as made:
            made.start("work", program=(PORTIERE, "cloud", "work"))
            served = Process([PORTIERE, "cloud", "api"], made.env, tmp_path / "api.log")
            start_and_wait(served, "api_ready")
            try:
                yield World(made, f"http://{api}", url)
            finally:
                served.stop()
    finally:
        services.kill()


def test_a_webhook_changes_a_booking_and_the_poll_tells_it_no_more(world: World) -> None:
    booking = {"id": 41, "reference-id": "4012345678", "departure": "2099-01-05"}
    webhook = f"{world.api}/webhooks/smoobu/{SECRET}"
    world.control("booking", {"booking": {**booking, "arrival": "2099-01-01"}, "webhook": webhook})
    names = [name for name, _ in world.asked(at_least=3)]
    assert names == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"]
    modified = (datetime.now(UTC) + HOUR).strftime("%Y-%m-%d %H:%M:%S")
    changed = {**booking, "departure": "2099-01-07", "modifiedAt": modified}
    world.control(
        "booking", {"booking": changed, "webhook": webhook, "action": "updateReservation"}
    )
    name, payload = world.asked(at_least=4)[3]
    assert name == "UPSERT_BOOKING"
    assert (payload["channel"], payload["code"]) == ("booking.com", "4012345678")
    assert payload["departure"] == "2099-01-07"
    world.run("smoobu-sync", 1)
    world.run("smoobu-sync", 2)
    assert len(world.asked(at_least=4)) == 4
    assert world.calls()["smoobu"] == 2


def test_a_late_flight_and_a_warning_reach_the_guests_they_concern(world: World) -> None:
    now = datetime.now(UTC)
    arrives = now + 4 * HOUR
    today = now.astimezone(world.cloud.settings.zone).date()
    day = aeroapi.night_of(arrives, world.cloud.settings.zone)
    week = timedelta(days=7)
    with world.cloud.store.writing() as session:
        for number in (1, 2, 3):
            session.add(known_rows.stay(number, day, day + week, flight_number=NUMBER))
        session.add(known_rows.stay(4, today - week, today + week))
        session.add(known_rows.stay(5, today + week, today + 2 * week))
    world.control("flight", {"ident": NUMBER, "arrives": arrives.isoformat()})
    world.run("watch-flights", 1)
    assert world.calls()["aeroapi"] == 1
    world.control("delay", {"ident": NUMBER, "minutes": 180})
    with world.cloud.store.writing() as session:  # a quarter of an hour goes by
        session.execute(update(Flight).values(ask_at=now))
    world.run("watch-flights", 2)
    sent = [payload for name, payload in world.asked(at_least=3) if name == "SEND_MESSAGE"]
    told = Counter((one["guest"], one["template"]["name"]) for one in sent)
    assert told == {(known_rows.index(number), "flight_delay"): 1 for number in (1, 2, 3)}

    start, end = int((now + HOUR).timestamp()), int((now + 2 * HOUR).timestamp())
    alert = {"sender_name": "Invented", "event": "Orange Wind Warning", "start": start, "end": end}
    world.control("alerts", {"alerts": [alert]})
    world.run("watch-weather", 1)
    world.run("watch-weather", 2)
    weather = [
        payload["guest"]
        for name, payload in world.asked(at_least=4)
        if name == "SEND_MESSAGE" and payload["template"]["name"] == "weather_warning"
    ]
    assert known_rows.index(4) in weather
    assert known_rows.index(5) not in weather
    assert len(set(weather)) == len(weather)

    with world.cloud.store.reading() as session:
        metered = dict(
            session.execute(
                select(Metered.item, func.sum(Metered.quantity)).group_by(Metered.item)
            ).all()
        )
    calls = world.calls()
    assert metered == {
        "flightaware.result_set": calls["aeroapi"],
        "openweather.call": calls["openweather"],
    }

"""The real desk and the real cloud: what Smoobu tells is done at the desk, and what happens there
is known in the cloud, once each, whichever of the programs is killed.
"""

import base64
import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.store.database import Database
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.known import KnownGuest, KnownMessage, KnownStay, KnownTurn
from cloud_jobs.store.runs import Run, State
from tests.integration.conftest import IMPATIENT
from tests.support.cloud_processes import Cloud, cloud
from tests.support.guest import SEAL, heard, portiere, turn
from tests.support.processes import (
    PORTIERE,
    Process,
    Stack,
    eventually,
    free_port,
    stack,
)

NODE_KEY = b"n" * 32
WORD = "invented-word-that-smoobu-is-given"
SAMPLE = json.loads((Path(__file__).parents[2] / "samples/smoobu/new.json").read_text())
STAY = ("channel", "code", "status", "unit", "arrival", "departure", "party")
PHONE = "+390000000001"


@dataclass
class Both:
    """A desk, and the cloud that it has."""

    desk: Stack
    cloud: Cloud
    api: Process
    api_url: str

    def start_api(self) -> None:
        """Start the API, for the first time or again."""
        self.api.start()
        eventually(self._answers, "the API answers")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/health").status_code == 200
        except httpx.HTTPError:
            return not self.api.alive()

    def smoobu_tells(self, number: int, **changed: Any) -> None:
        """A booking is new in Smoobu, of the guest whose phone ends with its number."""
        body = copy.deepcopy(SAMPLE)
        now = datetime.now(UTC)
        arrival = now.date() + timedelta(days=30)
        body["data"] |= {
            "id": number,
            "reference-id": f"B-{number}",
            "phone": f"+39 000 {number:07}",
            "arrival": f"{arrival}",
            "departure": f"{arrival + timedelta(days=3)}",
            "created-at": f"{now:%Y-%m-%d %H:%M}",
            "modifiedAt": f"{now:%Y-%m-%d %H:%M:%S}",
            **changed,
        }
        told = httpx.post(f"{self.api_url}/webhooks/smoobu/{WORD}", json=body, timeout=10)
        assert told.json() == {"kept": True}

    def commands(self) -> Counter[tuple[str, str]]:
        """How many commands of each name are in each state."""
        with self.cloud.store.reading() as session:
            rows = session.execute(select(Command.name, Command.state)).all()
        return Counter((name, state) for name, state in rows)

    def is_quiet(self) -> bool:
        """Whether nothing is open: no run, no command, nothing that the desk has yet to tell."""
        with self.cloud.store.reading() as session:
            open_runs = session.scalar(
                select(func.count()).where(Run.state.in_([State.QUEUED, State.RUNNING]))
            )
            offered = session.scalar(
                select(func.count()).where(Command.state == CommandState.OFFERED)
            )
        untold = self.rows("SELECT 1 FROM cloud_events WHERE state = 'waiting'")
        return not (open_runs or offered or untold)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Of the desk's database."""
        database = Database(self.desk.database)
        found = [dict(row) for row in database.all(sql)]
        database.close()
        return found

    def stays_at_the_desk(self) -> set[tuple[Any, ...]]:
        """As the desk's database has them."""
        rows = self.rows("SELECT * FROM bookings")
        return {(row["guest"].hex(), *(row[name] for name in STAY)) for row in rows}

    def stays_in_the_cloud(self) -> set[tuple[Any, ...]]:
        """As the cloud knows them."""
        with self.cloud.store.reading() as session:
            rows = session.scalars(select(KnownStay)).all()
        return {
            (
                row.guest,
                row.channel,
                row.code,
                row.status,
                row.unit,
                f"{row.arrival}",
                f"{row.departure}",
                row.party,
            )
            for row in rows
        }


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    port = free_port()
    key = base64.b64encode(NODE_KEY).decode()
    clients = {"mac": {"keys": [key], "scopes": ["commands", "events"]}}
    overrides = {
        "PORTIERE_CLOUD_BIND": f"127.0.0.1:{port}",
        "PORTIERE_API_CLIENTS": json.dumps(clients),
        "PORTIERE_SMOOBU_WEBHOOK_SECRET": WORD,
    }
    url = f"http://127.0.0.1:{port}"
    of_desk = IMPATIENT | {
        "PORTIERE_CLOUD_URL": url,
        "PORTIERE_CLOUD_KEY": key,
        "PORTIERE_QUIET_FROM": "00:00",
        "PORTIERE_QUIET_UNTIL": "00:00",
    }
    for name in ("cloud", "desk"):
        (tmp_path / name).mkdir()
    with (
        cloud(tmp_path / "cloud", **overrides) as layer,
        stack(tmp_path / "desk", **of_desk) as desk,
    ):
        api = Process([PORTIERE, "cloud", "api"], layer.env, tmp_path / "api.log")
        found = Both(desk, layer, api, url)
        layer.start("schedule", program=(PORTIERE, "cloud", "schedule"))
        layer.start("work", program=(PORTIERE, "cloud", "work"))
        found.start_api()
        desk.start_sandbox()
        desk.start_gateway()
        desk.start_worker()
        desk.start_node()
        try:
            yield found
        finally:
            api.stop()


def test_a_booking_goes_to_the_desk_and_comes_back_as_what_is_known(both: Both) -> None:
    both.smoobu_tells(1)
    eventually(both.stays_in_the_cloud, "the stay is known")
    eventually(both.is_quiet, "all is told")
    assert both.commands() == {
        (name, "done"): 1 for name in ("CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE")
    }
    assert both.stays_in_the_cloud() == both.stays_at_the_desk()
    (stay,) = both.stays_in_the_cloud()
    assert stay[0] == SEAL.index(PHONE).hex()
    done = both.rows("SELECT came_by, state FROM commands")
    assert [(row["came_by"], row["state"]) for row in done] == [("pull", "done")] * 3


def test_a_conversation_is_folded_once_each_and_an_erased_guest_is_nowhere(both: Both) -> None:
    both.smoobu_tells(1)
    eventually(both.stays_in_the_cloud, "the stay is known")
    for text in ("Buongiorno, a che ora posso fare il check-in?", "E la colazione?"):
        assert turn(both.desk, text, PHONE)
    eventually(both.is_quiet, "all is told")
    index = SEAL.index(PHONE).hex()
    with both.cloud.store.reading() as session:
        turns = session.scalars(select(KnownTurn).where(KnownTurn.guest == index)).all()
        sent = session.scalars(select(KnownMessage).where(KnownMessage.guest == index)).all()
        events = Counter(session.scalars(select(InboundEvent.name)).all())
    assert len(turns) == 2
    assert all(one.received_at and one.answered_at and one.intent for one in turns)
    assert len(sent) >= len(heard(both.desk, PHONE)) > 0
    assert events["message.received"] == events["message.answered"] == 2
    told = both.rows("SELECT name, count(*) AS n FROM cloud_events GROUP BY name")
    assert {row["name"]: row["n"] for row in told}.items() <= events.items()

    portiere(both.desk, "guests", "erase", PHONE, "--force")
    eventually(lambda: index not in whole(both), "the cloud has forgotten")
    for personal in (index, "Ada", "0000001", "B-1"):
        assert personal not in whole(both)


def whole(both: Both) -> str:
    """All that the cloud holds, opened as far as it can be."""
    seal, found = both.cloud.seal, []
    with both.cloud.store.reading() as session:
        for table in (KnownGuest, KnownStay, KnownTurn, KnownMessage, Run, Command, InboundEvent):
            rows = session.scalars(select(table)).all()
            found += [str({**vars(row)}) for row in rows]
        for event in session.scalars(select(InboundEvent)):
            found.append(seal.open(event.payload, f"inbound_events.payload:{event.event_id}"))
        for run in session.scalars(select(Run)):
            found.append(seal.open(run.payload, f"runs.payload:{run.run_id}"))
        for command in session.scalars(select(Command)):
            found.append(seal.open(command.payload, f"commands.payload:{command.command_id}"))
    return "\n".join(found)


def test_a_cloud_that_is_killed_over_and_over_loses_and_doubles_nothing(both: Both) -> None:
    many = 8
    for number in range(1, many + 1):
        both.smoobu_tells(number)
        if number % 2 == 0:
            both.api.kill()  # what is polled, told or answered just now is lost
            both.start_api()
    eventually(
        lambda: len(both.stays_in_the_cloud()) == many and both.is_quiet(),
        "all stays are known",
        seconds=120,
    )
    assert both.commands() == {
        (name, "done"): many for name in ("CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE")
    }
    assert both.stays_in_the_cloud() == both.stays_at_the_desk()
    done = both.rows("SELECT command_id FROM commands")
    assert len(done) == len({row["command_id"] for row in done}) == 3 * many
    queued = both.rows("SELECT guest FROM outbox WHERE template = 'welcome'")
    assert len(queued) == len({row["guest"] for row in queued}) == many

"""A desk that has a cloud, and commands put straight into its table."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.commands.asked import read
from app.commands.running import Ran, run_command
from app.commands.store import CameBy, CommandState, Sender, Taken
from app.store.database import Row
from app.work.desk import Desk, make_desk
from tests.unit.work.conftest import KEY, OTHER, settings


@dataclass
class Cloud:
    """Asks things of a desk, as gateway and worker would pass them on."""

    desk: Desk
    asked: int = 0

    def take(self, name: str, /, **payload: Any) -> Taken:
        """Keep a command."""
        self.asked += 1
        return self.take_body({"name": name, "payload": payload}, f"c{self.asked}")

    def take_body(self, body: dict[str, Any], command_id: str, key: str | None = None) -> Taken:
        """Keep a command, as it comes in."""
        sender = Sender("cloud", key or command_id, CameBy.PUSH)
        keep = self.desk.commands.accept(command_id, read(json.dumps(body)), sender)
        with self.desk.database.transaction() as connection:
            return keep(connection)

    def run(self, row_id: int) -> Ran:
        """Let the worker have a row."""
        return run_command(self.desk, self.desk.commands, row_id)

    def ask(self, name: str, /, **payload: Any) -> CommandState:
        """Keep a command and carry it out."""
        taken = self.take(name, **payload)
        self.run(taken.row_id)
        return self.state(taken)

    def state(self, taken: Taken) -> CommandState:
        """How far it is."""
        found = self.desk.commands.state_of(taken.command_id)
        assert found is not None
        return found

    def told(self) -> list[dict[str, Any]]:
        """The reports written down for the cloud, in order."""
        rows = self.desk.database.all(
            "SELECT * FROM cloud_events WHERE name = 'command.finished' ORDER BY id"
        )
        return [json.loads(self._open(row)) for row in rows]

    def _open(self, row: Row) -> str:
        return self.desk.seal.open(row["sealed_payload"], f"cloud_events.payload:{row['event_id']}")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(
        settings(
            tmp_path,
            alert_whatsapp=[OTHER],
            cloud_url="http://127.0.0.1:9",
            cloud_key=KEY,
        )
    )


@pytest.fixture
def cloud(desk: Desk) -> Cloud:
    return Cloud(desk)

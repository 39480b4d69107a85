"""The relay while its machine may not act: no row is queued over and over for nothing."""

from datetime import timedelta
from pathlib import Path

import pytest

from app import steady
from app.leading import Kept, Role, Standing, keep
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Text
from app.messages.unfinished import Patience
from app.work.broker import make_broker
from app.work.desk import Desk
from app.work.relay import Relay
from tests.support.processes import free_port
from tests.unit.work.conftest import GUEST, outbox

NO_TIME = timedelta(0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("standing", "queued"),
    [
        (Standing(Role.LEADER, 7), 1),
        (Standing(Role.LEADER, 7, valid_until=steady.now() + 1000), 1),
        (Standing(Role.LEADER, 7, valid_until=steady.now()), 0),
        (Standing(Role.HANDING_OVER, 7), 0),
        (Standing(Role.STANDBY, 7), 0),
    ],
)
def test_it_sweeps_only_while_its_machine_may_act(
    desk: Desk, tmp_path: Path, standing: Standing, queued: int
) -> None:
    keep(tmp_path / "standing.json", standing)
    with desk.database.transaction() as connection:
        desk.outbox.add(connection, Draft("person-1", GUEST, Kind.PERSON, Text("Ciao"), "it"))
        connection.execute("UPDATE outbox SET next_at = 1")
    relay = Relay(
        desk.database,
        make_broker(f"redis://127.0.0.1:{free_port()}/0", []),  # nobody is there: rows remain
        Patience(grace=NO_TIME, echo_wait=NO_TIME, resend=True),
        guard=desk.delivering.guard,
        leadership=Kept(tmp_path / "standing.json"),
        interval=NO_TIME,
    )
    assert relay.sweep_once() == queued
    assert [row["next_at"] == 1 for row in outbox(desk)] == [queued == 0]

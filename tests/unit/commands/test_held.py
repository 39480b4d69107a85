"""A command that the last leader may have carried out is left alone for a while."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from app.commands.asked import read
from app.commands.store import CameBy, Sender
from app.messages.doubt import cast_doubt
from app.store.database import now_ms
from app.work.desk import Desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import GUEST


@pytest.mark.parametrize(("wait", "state"), [(3600, "received"), (0, "done")])
def test_nobody_carries_out_what_is_in_doubt(
    cloud: Cloud, desk: Desk, wait: int, state: str
) -> None:
    taken = cloud.take("SEND_MESSAGE", phone=GUEST, text="1")
    after = cloud.take("SEND_MESSAGE", phone=GUEST, text="2")
    with desk.database.transaction() as connection:
        doubted = cast_doubt(connection, now_ms(), timedelta(seconds=wait))
    assert doubted.commands == 2
    rows = desk.database.all("SELECT held_until, next_at FROM commands")
    assert all(row["next_at"] >= row["held_until"] for row in rows)  # the relay's time comes later
    for one in (taken, after):
        cloud.run(one.row_id)
        assert cloud.state(one).state == state


@pytest.mark.parametrize(("wait", "state"), [(3600, "received"), (-1, "done")])
def test_what_is_replayed_can_be_left_alone_too(
    cloud: Cloud, desk: Desk, wait: int, state: str
) -> None:
    asked = read(json.dumps({"name": "SEND_MESSAGE", "payload": {"phone": GUEST, "text": "1"}}))
    until = datetime.now(UTC) + timedelta(seconds=wait)
    keep = desk.commands.accept("c", asked, Sender("cloud", "k", CameBy.PUSH), held_until=until)
    with desk.database.transaction() as connection:
        taken = keep(connection)
    cloud.run(taken.row_id)
    assert cloud.state(taken).state == state

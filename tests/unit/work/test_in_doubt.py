"""After a takeover: what may be done already is left alone, what comes in now is answered."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from app import steady
from app.leading import Role, Standing, keep
from app.messages import leading
from app.messages.doubt import cast_doubt
from app.store.database import now_ms
from app.work.desk import Desk
from app.work.handling import answer_message
from tests.unit.work.conftest import OTHER, DeskMaker, outbox
from tests.unit.work.test_handling import receive
from tests.unit.work.test_pausing import states

TERM = 7
HA = {
    "ha_authority": "http://127.0.0.1:9",
    "ha_peer": "mac",
    "ha_peer_urls": "http://127.0.0.1:9",
    "ha_key": base64.b64encode(b"h" * 32).decode(),
    "ha_replica": "file:///nowhere",
    "ha_redis_admin_url": "redis://127.0.0.1:9/0",
    "ha_redis_peer": "127.0.0.1:9",
}
FIRE = "Aiuto, c'è un incendio in camera!"


@pytest.fixture
def desk(make: DeskMaker, tmp_path: Path) -> Desk:
    """A desk that has just been taken over, with a guest's open message."""
    made = make(**HA)
    before = receive(made)
    with made.database.transaction() as connection:
        leading.begin_term(connection, TERM, "vps", "failover")
        cast_doubt(connection, now_ms(), timedelta(hours=1))
    doubt_until = steady.now() + 3600
    keep(tmp_path / "ha/standing.json", Standing(Role.LEADER, TERM, doubt_until=doubt_until))
    assert before == 1
    return made


def test_others_are_answered_at_once(desk: Desk) -> None:
    claimed = answer_message(desk, receive(desk, phone=OTHER)).claimed
    assert claimed is not None
    assert claimed.term == TERM


def test_what_was_open_is_left_alone_and_its_guest_keeps_their_order(desk: Desk) -> None:
    after = receive(desk)
    for row_id in (1, after):
        assert answer_message(desk, row_id).claimed is None
    assert (states(desk), outbox(desk)) == (["received", "received"], [])


def test_an_emergency_passes_what_is_left_alone(desk: Desk) -> None:
    emergency = receive(desk, FIRE)
    assert answer_message(desk, emergency).claimed is not None
    assert states(desk) == ["received", "done"]
    assert [row["kind"] for row in outbox(desk)] == ["emergency"]


def test_an_emergency_that_may_be_answered_already_is_left_alone(desk: Desk) -> None:
    emergency = receive(desk, FIRE)
    with desk.database.transaction() as connection:
        cast_doubt(connection, now_ms(), timedelta(hours=1))
    assert answer_message(desk, emergency).claimed is None
    assert outbox(desk) == []

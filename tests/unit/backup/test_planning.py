"""The plan of a restore: what would be undone, and in words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.backup import planning
from app.backup.kinds import Kind
from app.backup.planning import Losses, Plan, lines, losses
from app.backup.points import Point, Saved
from app.backup.restic import Snapshot
from app.store.database import open_database, to_ms

THEN = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")
POINT = Point(THEN, term=7, until=THEN)
SNAPSHOT = Saved("/srv/backup", Snapshot("ab" * 32, Kind.REDIS, THEN, "mac", 1000, (), "ab" * 32))
ASIDE = Path("/data/ha/aside")


def said(found: Losses | None, *, replay: bool = True) -> str:
    return "\n".join(lines(Plan(POINT, None, found, ASIDE, replay), ROME))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two bookings, one of them changed since; a guest's message of before."""
    path = tmp_path / "portiere.db"
    found = open_database(path)
    before, since = (to_ms(THEN + timedelta(minutes=n)) for n in (-5, 5))
    with found.transaction() as connection:
        for code, at in (("old", before), ("new", since)):
            connection.execute(
                "INSERT INTO bookings (channel, code, status, created_at, updated_at) "
                "VALUES ('direct', ?, 'confirmed', ?, ?)",
                (code, before, at),
            )
        connection.execute(
            "INSERT INTO inbox (source, event_id, event, guest, sealed_body, state, received_at, "
            "next_at) VALUES ('spoki', 'e', 'message', x'01', x'00', 'done', ?, 0)",
            (before,),
        )
    found.close_all()
    return path


def test_what_is_newer_than_the_point_is_counted(database: Path) -> None:
    found = losses(database, THEN)
    assert found is not None
    assert {what: count for what, count in found.gone.items() if count} == {"changed bookings": 1}
    assert not any(found.back.values())
    earlier = losses(database, THEN - timedelta(minutes=10))
    assert earlier is not None
    assert earlier.back["guests' messages"] == 1
    assert earlier.gone["changed bookings"] == 2


def test_where_there_is_no_database_to_be_read_that_is_said(tmp_path: Path) -> None:
    assert losses(tmp_path / "none.db", THEN) is None
    (tmp_path / "torn.db").write_bytes(b"torn" * 2000)
    assert losses(tmp_path / "torn.db", THEN) is None
    assert "not known" in said(None)


def test_the_plan_says_what_is_undone_and_what_is_taken_in_again() -> None:
    found = Losses(back={"guests' messages": 2, "commands": 0}, gone={"changed bookings": 1})
    assert "27 Nov 2026 16:00:00 CET, as it was replicated in term 7" in said(found)
    assert "undone     1 changed bookings: as they were then" in said(found)
    assert "replayed   2 guests' messages: taken in again, and nothing sent twice" in said(found)
    assert "commands" not in said(found)
    assert "lost       2 guests' messages" in said(found, replay=False)
    assert "kept       the present database, in /data/ha/aside" in said(found)
    assert "nothing was written since" in said(Losses({}, {}))


def test_a_queue_is_named_by_its_snapshot() -> None:
    plan = Plan(None, Point(THEN, saved=SNAPSHOT), None, ASIDE)
    (first, *_) = lines(plan, ROME)
    assert "snapshot abababab of mac in /srv/backup" in first


def test_without_room_beside_the_present_one_it_is_refused(database: Path) -> None:
    assert planning.refusal(POINT, database, database.parent) is None
    too_large = Snapshot("ab" * 32, Kind.SQLITE, THEN, "mac", 10**15, (), "ab" * 32)
    point = Point(THEN, saved=Saved("/srv/backup", too_large))
    reason = planning.refusal(point, database, database.parent)
    assert reason is not None
    assert "takes 1000000020 MB" in reason
    assert "Make room" in reason

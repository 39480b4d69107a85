"""Rows of a file that lay here, against what was replicated: what nobody wrote is told apart."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.ha.comparing_rows import MOST_BEATS, unexplained_row
from app.messages import leading
from app.store.database import open_copy, open_database, to_ms
from tests.support.furnished import furnish, settings_of

# Columns that SQLite can't check and nobody sealed, with what a flip makes of them.
CHANGES = {
    "bookings": ("arrival", "departure", "unit", "code", "channel", "created_at", "updated_at"),
    "guests": ("language", "created_at"),
    "inbox": ("event", "source", "received_at"),
    "outbox": ("language", "not_before", "created_at"),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was replicated."""
    found = settings_of(tmp_path_factory.mktemp("rows") / "mac")
    furnish(found)
    write(found.database, "SELECT 1", beats=1, term=True)
    return found.database


def write(path: Path, sql: str, *values: object, beats: int = 0, term: bool = False) -> None:
    """Write to a file; nobody has it open afterwards."""
    database = open_database(path)
    with database.transaction() as connection:
        if term:
            leading.begin_term(connection, 1, "mac", "first")
        for _ in range(beats):
            leading.beat(connection)
        connection.execute(sql, values)
    database.all("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close_all()


def copied(before: Path, to: Path) -> Path:
    return Path(shutil.copy(before, to / "now.db"))


def test_a_copy_is_the_same(before: Path, tmp_path: Path) -> None:
    assert unexplained_row(before, copied(before, tmp_path)) is None


@given(data=st.data(), row=st.integers(1, 40))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_changed_without_being_written_is_found(
    before: Path, tmp_path: Path, data: st.DataObject, row: int
) -> None:
    now = copied(before, tmp_path)
    table = data.draw(st.sampled_from(sorted(CHANGES)))
    column = data.draw(st.sampled_from(CHANGES[table]))
    change = f"{column} + 1" if column.endswith("_at") or column == "not_before" else "'ü'"
    write(now, f"UPDATE {table} SET {column} = {change} WHERE id = ?", row)
    found = unexplained_row(before, now)
    assert found is not None
    assert table in found


def test_text_that_is_no_text_any_more_is_found(before: Path, tmp_path: Path) -> None:
    now = copied(before, tmp_path)
    write(now, "UPDATE bookings SET unit = CAST(x'ff' AS TEXT) WHERE id = 3")
    assert unexplained_row(before, now)


def test_what_was_written_says_when(before: Path, tmp_path: Path) -> None:
    now, moment = copied(before, tmp_path), to_ms(datetime.now(UTC))
    write(now, "UPDATE bookings SET arrival = '2027-01-01', updated_at = ?", moment, beats=3)
    write(now, "UPDATE outbox SET state = 'read', read_at = ? WHERE id = 5", moment)
    write(now, "UPDATE cloud_events SET attempts = attempts + 1, note = 'refused'")
    write(now, "DELETE FROM history")
    assert unexplained_row(before, now) is None


def test_an_old_time_explains_nothing(before: Path, tmp_path: Path) -> None:
    now = copied(before, tmp_path)
    old = to_ms(datetime.now(UTC) - timedelta(hours=1))
    write(now, "UPDATE bookings SET arrival = '2027-01-01', updated_at = ? WHERE id = 1", old)
    assert unexplained_row(before, now)


def test_of_what_was_written_for_long_nothing_is_said(before: Path, tmp_path: Path) -> None:
    now = copied(before, tmp_path)
    write(now, "UPDATE bookings SET arrival = '2027-01-01'", beats=MOST_BEATS + 1)
    assert unexplained_row(before, now) is None
    with open_copy(now) as connection:
        assert leading.last_beat(connection)

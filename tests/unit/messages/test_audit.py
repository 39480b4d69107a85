"""The audit and the nonces: found by what is asked for, kept for as long as is said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from app.messages import audit, nonces
from app.store.database import Database, open_database

DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "p.db")
    yield database
    database.close()


def test_entries_are_found_by_actor_action_and_time(database: Database) -> None:
    before = datetime.now(UTC)
    with (
        structlog.contextvars.bound_contextvars(request_id="r-1"),
        database.transaction() as connection,
    ):
        for actor, action in (
            ("cloud", "queue.paused"),
            ("cli:ada", "queue.resumed"),
            ("cloud", "queuing"),
        ):
            audit.record(
                connection,
                actor=actor,
                action=action,
                target="sends",
                address="203.0.113.9",
                detail={"reason": "test"},
            )

    def actions(actor: str | None = None, action: str | None = None) -> list[str]:
        return [entry.action for entry in audit.entries(database, actor=actor, action=action)]

    assert actions() == ["queue.paused", "queue.resumed", "queuing"]
    assert actions(actor="cloud") == ["queue.paused", "queuing"]
    assert actions(action="queue") == ["queue.paused", "queue.resumed"]
    assert actions(action="queue.paused") == ["queue.paused"]
    assert len(audit.entries(database, since=before - DAY)) == 3
    assert audit.entries(database, since=before + DAY) == []
    newest = audit.entries(database, limit=1)[0]
    assert (newest.action, newest.request_id, newest.address) == (
        "queuing",
        "r-1",
        "203.0.113.0/24",
    )
    assert newest.detail == {"reason": "test"}


def test_what_is_older_than_it_is_kept_goes(database: Database) -> None:
    with database.transaction() as connection:
        for age in (89, 91):
            audit.record(connection, actor="cloud", action=f"days.{age}")
            connection.execute(
                "UPDATE audit SET at = at - ? WHERE action = ?", (age * 86_400_000, f"days.{age}")
            )
        assert audit.purge(connection, 90 * DAY) == 1
    assert [entry.action for entry in audit.entries(database)] == ["days.89"]


def test_a_nonce_is_good_once_for_each_client_and_kept_until_it_can_t_matter(
    database: Database,
) -> None:
    now = datetime.now(UTC)
    later, gone = now + DAY, now - timedelta(seconds=5)
    with database.transaction() as connection:
        assert nonces.spend(connection, "cloud", "n1", later)
        assert not nonces.spend(connection, "cloud", "n1", later)
        assert nonces.spend(connection, "other", "n1", gone)
        assert nonces.purge(connection) == 1
        assert not nonces.spend(connection, "cloud", "n1", later)

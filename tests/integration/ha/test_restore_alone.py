"""``portiere restore`` on a machine that has no other: while its programs are stopped."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.store.database import open_copy
from app.store.users import using
from tests.support.both_machines import Host, both_machines
from tests.support.restored import (
    SENT,
    back_up_database,
    marks,
    restore,
    settings_of,
    with_backups,
    write_rows,
)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Host]:
    with both_machines(tmp_path, **with_backups(tmp_path)) as pair:
        for name in [name for name in pair.mac.env if name.startswith("PORTIERE_HA_")]:
            del pair.mac.env[name]
        pair.mac.database.parent.mkdir()
        yield pair.mac


def test_its_database_is_replaced_and_what_came_since_is_taken_in(
    alone: Host, tmp_path: Path
) -> None:
    write_rows(settings_of(alone), alone.database, "then")
    back_up_database(alone, tmp_path / "staged")
    write_rows(settings_of(alone), alone.database, "since")
    with using(alone.database):
        said = restore(alone)
        assert said.code == 1
        assert "stop the gateway" in said.out
    assert marks(alone) == ["since", "then"]

    said = restore(alone)

    assert said.code == 0, said.out
    assert "Start the gateway" in said.out
    assert marks(alone) == ["then"]
    with closing(open_copy(alone.database)) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone()[0] == 1
        assert connection.execute("SELECT idempotency_key FROM echoes").fetchone()[0] == SENT
    (kept,) = (alone.directory / "data/ha/aside").glob("*/portiere.db")
    with closing(open_copy(kept)) as connection:
        codes = [row[0] for row in connection.execute("SELECT code FROM bookings ORDER BY code")]
    assert codes == ["since", "then"]

"""When a database that was set aside may be deleted."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.ha.asides import MARKER, is_handed_over, prune_aside, write_down

pytestmark = pytest.mark.thorough

DONE = {"to_term": 2, "counts": {"offered": 4, "refused": 0}}


def set_aside(directory: Path, days: int, marker: object = DONE) -> Path:
    at = datetime.now(UTC) - timedelta(days=days)
    path = directory / "aside" / f"term-{40 - days}-{at:%Y%m%dT%H%M%S.%fZ}"
    (path / ".portiere.db-litestream").mkdir(parents=True)
    (path / "portiere.db").write_text("rows")
    if marker is not None:
        (path / MARKER).write_text(marker if isinstance(marker, str) else json.dumps(marker))
    return path


def test_old_ones_go_and_the_newest_three_stay(tmp_path: Path) -> None:
    old = [set_aside(tmp_path, days) for days in (31, 35, 40)]
    new = [set_aside(tmp_path, days) for days in (1, 32 - 3)]
    assert prune_aside(tmp_path) == old[1:]
    assert sorted((tmp_path / "aside").iterdir()) == sorted([*new, old[0]])
    assert prune_aside(tmp_path, keep=timedelta(0)) == []
    assert prune_aside(tmp_path, keep=timedelta(0), at_least=1) == [new[1], old[0]]


@pytest.mark.parametrize(
    "marker", [None, "", "{", "[]", {"counts": {}}, {"counts": {"offered": 3, "refused": 1}}]
)
def test_what_was_not_handed_over_whole_is_never_deleted(tmp_path: Path, marker: object) -> None:
    kept = set_aside(tmp_path, 400, marker)
    assert not is_handed_over(kept)
    assert prune_aside(tmp_path, at_least=0) == []
    assert (kept / "portiere.db").exists()


def test_what_else_lies_there_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "aside" / "term-by-hand"
    other.mkdir(parents=True)
    assert prune_aside(tmp_path, timedelta(0), 0) == []
    assert prune_aside(tmp_path / "nowhere") == []
    assert other.exists()


def test_what_is_written_down_is_there_whole(tmp_path: Path) -> None:
    write_down(tmp_path / MARKER, DONE, durable=True)
    write_down(tmp_path / MARKER, {"counts": {"refused": 0}})
    assert is_handed_over(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]

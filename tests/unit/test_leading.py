"""How a machine stands: kept whole, read at once, void after a boot."""

from pathlib import Path

import pytest

from app import steady
from app.leading import NOBODY, Kept, Role, Standing, keep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ha" / "standing.json"


def test_nobody_leads_before_anything_was_written(path: Path) -> None:
    kept = Kept(path)
    assert (kept.standing(), kept.term(), kept.in_doubt()) == (NOBODY, None, False)


def test_what_was_written_is_read_at_once_each_time(path: Path) -> None:
    kept = Kept(path)
    for term in range(1, 200):
        keep(path, Standing(Role.LEADER, term, leader="mac"))
        assert kept.term() == term
    keep(path, Standing(Role.STANDBY, 200, leader="vps"))
    assert (kept.term(), kept.standing().leader) == (None, "vps")


def test_a_lease_ends_by_the_steady_clock(path: Path) -> None:
    kept = Kept(path)
    keep(path, Standing(Role.LEADER, 7, valid_until=steady.now() + 1000))
    assert kept.term() == 7
    keep(path, Standing(Role.LEADER, 7, valid_until=steady.now()))
    assert (kept.term(), kept.standing().role) == (None, Role.LEADER)


def test_who_hands_over_acts_no_more(path: Path) -> None:
    keep(path, Standing(Role.HANDING_OVER, 7, valid_until=steady.now() + 1000))
    assert Kept(path).term() is None


def test_a_file_of_an_earlier_boot_says_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(path, Standing(Role.LEADER, 7, valid_until=steady.now() + 1000))
    monkeypatch.setattr(steady, "boot", lambda: "another")
    assert Kept(path).standing() == NOBODY


def test_doubt_is_over_by_the_steady_clock(path: Path) -> None:
    keep(path, Standing(Role.LEADER, 7, doubt_until=steady.now() + 1000))
    assert Kept(path).in_doubt()
    keep(path, Standing(Role.LEADER, 7, doubt_until=steady.now()))
    assert not Kept(path).in_doubt()

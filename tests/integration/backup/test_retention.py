"""Forty days of backups, every one that the table has made: what is kept is what it says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup import restic
from app.backup.keeping import forget_old
from app.backup.kinds import PLANS, Kind
from app.backup.restic import GOOD, Repository
from tests.support.backups import Writer, back_up, made, tree_of

pytestmark = pytest.mark.thorough

DAYS = 40
DAY = timedelta(days=1)
# All of it is over: restic looks at the clock, too.
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
BEGIN = TODAY - DAYS * DAY
# Nights before and after each kind's oldest gets too old, some missed.
NIGHTS = (1, 2, 8, 16, 24, 31, 40)
# From the evening of the one until the morning of the other the VPS leads.
LED_BY_VPS = (BEGIN + 12.75 * DAY, BEGIN + 15.25 * DAY)

Named = tuple[Kind, str, datetime]


def of_day(day: int) -> Iterator[Named]:
    for kind, plan in PLANS.items():
        for turn in range(DAY // plan.every):
            at = BEGIN + day * DAY + turn * plan.every
            led = "vps" if LED_BY_VPS[0] <= at < LED_BY_VPS[1] else "mac"
            own = ("vps",) if kind is Kind.CLOUD else ("mac", "vps")
            for host in (led,) if plan.by_leader else own:
                yield kind, host, at


def young(those: set[Named]) -> set[Named]:
    """What the table keeps of them."""
    newest: dict[tuple[Kind, str], datetime] = {}

    def whose(kind: Kind, host: str) -> tuple[Kind, str]:
        return kind, "" if PLANS[kind].by_leader else host

    for kind, host, at in those:
        newest[whose(kind, host)] = max(at, newest.get(whose(kind, host), at))
    return {
        (kind, host, at)
        for kind, host, at in those
        if newest[whose(kind, host)] - at < PLANS[kind].keep
    }


def stored(repo: Repository) -> set[Named]:
    found = restic.snapshots(repo)
    named = {(one.kind, one.host, one.at) for one in found}
    assert len(found) == len(named)
    return named


def test_after_each_night_of_forty_days_there_is_what_the_table_says(tmp_path: Path) -> None:
    repo = made(tmp_path)
    first = back_up(repo, tmp_path, at=BEGIN, kind=Kind.SQLITE)
    good = restic.tag(repo, first, add=[GOOD])
    kept_for_good = {(good.kind, good.host, good.at)}
    writer, tree = Writer(repo), tree_of(repo, good)

    total, there = 0, kept_for_good
    for day in range(DAYS):
        new = set(of_day(day)) - kept_for_good
        writer.snapshots(tree, new)
        total, there = total + len(new), there | new
        if day + 1 not in NIGHTS:
            continue
        expected = young(there) | kept_for_good
        forgotten = forget_old(repo)
        assert stored(repo) == expected
        assert forgotten == len(there) - len(expected)
        there = expected
    restic.prune(repo)
    restic.check(repo, "100%")
    assert stored(repo) == there

    # Nothing but the table's numbers: 7 days every 15 minutes and one that is good, and so on.
    assert total == DAYS * (96 + 288 + 2 + 2 + 1) - 1
    count = {kind: sum(one is kind for one, _, _ in there) for kind in Kind}
    assert count == {
        Kind.SQLITE: 7 * 96 + 1,
        Kind.REDIS: 288,
        Kind.LOGS: 2 * 30,
        Kind.CONFIGURATION: 2 * 30,
        Kind.CLOUD: 30,
    }


def test_when_backups_have_stopped_the_newest_are_kept_however_old(tmp_path: Path) -> None:
    repo = made(tmp_path)
    at = [BEGIN - 400 * DAY, BEGIN - 390 * DAY]
    for one in at:
        back_up(repo, tmp_path, at=one)
    assert forget_old(repo) == 1
    assert [one.at for one in restic.snapshots(repo)] == at[1:]


def test_one_that_says_it_is_from_next_year_makes_no_other_old(tmp_path: Path) -> None:
    repo = made(tmp_path)
    at = [TODAY - 8 * DAY, TODAY - DAY, TODAY, TODAY + 365 * DAY]
    for one in at:
        back_up(repo, tmp_path, at=one)
    assert forget_old(repo) == 1
    assert [one.at for one in restic.snapshots(repo)] == at[1:]

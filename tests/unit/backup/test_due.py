"""What a machine is to back up, when, and what is wrong if it didn't: by what it noted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backup.due import EARLY, NIGHT, due, is_due, is_due_nightly, ours
from app.backup.faults import DRILL_AGE, LASTS, Wrong, faults
from app.backup.kinds import PLANS, Kind
from app.backup.state import Drill, Made, State, read_state, write_state
from app.leading import Role, Standing, keep, standing_file
from app.settings import Settings
from tests.unit.work.conftest import KEY, settings

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HERE, THERE = "/srv/here", "/srv/there"
OF_TWO = {
    "ha_authority": "http://127.0.0.1:9",
    "ha_peer": "vps",
    "ha_peer_urls": "http://127.0.0.1:9",
    "ha_key": KEY,
    "cloud_url": "http://127.0.0.1:9",
    "cloud_key": KEY,
    "ha_replica": "file:///nowhere",
    "ha_redis_admin_url": "redis://127.0.0.1:9",
    "ha_redis_peer": "127.0.0.1:9",
}
AGES = st.timedeltas(timedelta(), timedelta(days=40))


def of(directory: Path, **given: object) -> Settings:
    """A machine that has something of each kind."""
    all_of_it = {
        "backup_repositories": f"{HERE}, {THERE}",
        "backup_key": "invented",
        "backup_configuration": "/etc/portiere",
        "backup_cloud_snapshot": directory / "cloud",
        "backup_least_free": 0,
        "log_dir": directory,
    }
    return settings(directory, **{**all_of_it, **given})


@pytest.fixture
def found(tmp_path: Path) -> Settings:
    return of(tmp_path)


def made(*kinds: Kind, at: datetime, addresses: tuple[str, ...] = (HERE, THERE)) -> State:
    state = State(since=at)
    for kind in kinds:
        for address in addresses:
            state = state.with_made(kind, address, Made(at=at, snapshot="ab12cd34"))
    return state


def wrongs(found: Settings, state: State, now: datetime, **given: datetime) -> list[Wrong]:
    return [fault.wrong for fault in faults(found, state, now, **given)]


def test_who_leads_backs_up_the_desk_and_each_machine_its_own(tmp_path: Path) -> None:
    of_two = of(tmp_path, **OF_TWO)
    own = {Kind.LOGS, Kind.CONFIGURATION, Kind.CLOUD}
    keep(standing_file(of_two), Standing(Role.STANDBY, 3, "vps"))
    assert set(ours(of_two)) == own
    keep(standing_file(of_two), Standing(Role.HANDING_OVER, 3, "mac"))
    assert set(ours(of_two)) == own
    keep(standing_file(of_two), Standing(Role.LEADER, 4, "mac"))
    assert set(ours(of_two)) == set(Kind)
    # Its lease is over: another may lead by now.
    keep(standing_file(of_two), Standing(Role.LEADER, 4, "mac", valid_until=0))
    assert set(ours(of_two)) == own


def test_what_a_machine_does_not_have_is_not_backed_up(tmp_path: Path) -> None:
    bare = {"log_dir": None, "backup_configuration": "", "backup_cloud_snapshot": None}
    assert set(ours(of(tmp_path, **bare))) == {Kind.SQLITE, Kind.REDIS}
    assert ours(of(tmp_path, backup_repositories="")) == ()


def test_the_queue_comes_before_the_logs(found: Settings) -> None:
    assert ours(found)[:2] == (Kind.REDIS, Kind.SQLITE)


@given(st.sampled_from(Kind), st.integers(0, 20), st.floats(0, 60))
def test_started_every_five_minutes_each_kind_is_backed_up_at_its_pace(
    kind: Kind, turns: int, took: float
) -> None:
    """However long a backup takes: none is left for the start after."""
    every = PLANS[kind].every
    state = made(kind, at=NOON + timedelta(seconds=took))
    last_turn = NOON + (turns * timedelta(minutes=5))
    assert is_due(state, kind, HERE, last_turn) == (last_turn - NOON >= every)


@given(st.sampled_from(Kind), AGES)
def test_what_was_missed_is_due_however_long_the_machine_slept(
    kind: Kind, slept: timedelta
) -> None:
    state = made(kind, at=NOON)
    assert is_due(state, kind, HERE, NOON + PLANS[kind].every + slept)


@given(st.sampled_from(Kind), st.timedeltas(EARLY + timedelta(seconds=1), timedelta(days=400)))
def test_a_clock_that_was_set_back_stops_no_backup(kind: Kind, back: timedelta) -> None:
    assert is_due(made(kind, at=NOON), kind, HERE, NOON - back)


def test_what_failed_is_tried_again_at_the_next_start(found: Settings) -> None:
    """Also what was asked for by hand, long before its time."""
    state = made(*Kind, at=NOON).with_failed(Kind.LOGS, HERE, "no", NOON)
    assert due(found, state, NOON + timedelta(seconds=1)) == {Kind.LOGS: [HERE]}


def test_only_the_repository_that_lacks_it_is_due(found: Settings) -> None:
    state = made(*Kind, at=NOON).with_failed(Kind.REDIS, THERE, "no", NOON)
    state = state.with_made(Kind.REDIS, HERE, Made(at=NOON + timedelta(minutes=5), snapshot="x"))
    assert due(found, state, NOON + timedelta(minutes=6)) == {Kind.REDIS: [THERE]}
    assert due(found, State(), NOON) == {kind: [HERE, THERE] for kind in ours(found)}


@given(AGES, AGES)
def test_a_drill_is_due_once_after_each_night_begins(later: timedelta, age: timedelta) -> None:
    now = NOON + later
    nights = (datetime.combine(now.date() - timedelta(days=n), NIGHT, UTC) for n in (0, 1))
    last_night = next(night for night in nights if night <= now)
    drill = Drill(at=now - age)
    assert is_due_nightly(drill, now) == (drill.at < last_night)
    assert is_due_nightly(None, now)


def test_all_is_well_while_all_is_young(found: Settings) -> None:
    state = made(*Kind, at=NOON)
    assert not wrongs(found, state, NOON + timedelta(minutes=4))
    assert not wrongs(found, State(), NOON)


@pytest.mark.parametrize("kind", Kind)
def test_a_backup_that_is_three_turns_old_is_missing(found: Settings, kind: Kind) -> None:
    now = NOON + timedelta(days=300)
    late = now - 3 * PLANS[kind].every - timedelta(seconds=1)
    others = [one for one in Kind if one is not kind]
    state = made(*others, at=now)
    state = state.with_made(kind, HERE, Made(at=now, snapshot="ab12cd34"))
    in_time = Made(at=late + timedelta(seconds=2), snapshot="x")
    assert not wrongs(found, state.with_made(kind, THERE, in_time), now)
    (fault,) = faults(found, state.with_made(kind, THERE, Made(at=late, snapshot="x")), now)
    assert (fault.wrong, kind in fault.what, THERE in fault.what) == (Wrong.MISSING, True, True)
    assert "portiere backup run" in fault.remedy


def test_one_that_never_began_is_missing_too(found: Settings) -> None:
    now = NOON + timedelta(days=4)
    assert set(wrongs(found, State(since=NOON), now)) == {Wrong.MISSING}
    assert not wrongs(found, State(since=NOON), NOON + timedelta(minutes=14))


def test_what_the_other_machine_did_before_is_not_missing_here(found: Settings) -> None:
    own = (Kind.LOGS, Kind.CONFIGURATION, Kind.CLOUD)
    state = made(*own, at=NOON)
    for kind in (Kind.SQLITE, Kind.REDIS):
        old = Made(at=NOON - timedelta(days=9), snapshot="x")
        state = state.with_made(kind, HERE, old).with_made(kind, THERE, old)
    now = NOON + timedelta(minutes=10)
    assert not wrongs(found, state, now, led_since=NOON)
    assert wrongs(found, state, now + timedelta(minutes=6), led_since=NOON) == [Wrong.MISSING] * 2


def test_one_failure_may_heal_and_what_lasts_is_told(found: Settings) -> None:
    state = made(*Kind, at=NOON).with_failed(Kind.SQLITE, HERE, "a cable", NOON)
    assert not wrongs(found, state, NOON + timedelta(minutes=5))
    now = NOON + LASTS
    state = state.with_failed(Kind.SQLITE, HERE, "still a cable", now)
    (fault,) = faults(found, state, now)
    assert (fault.wrong, "still a cable" in fault.what) == (Wrong.FAILED, True)
    assert "portiere backup now sqlite" in fault.remedy
    assert state.of(Kind.SQLITE, HERE).made == Made(at=NOON, snapshot="ab12cd34")
    mended = state.with_made(Kind.SQLITE, HERE, Made(at=now, snapshot="x"))
    assert not wrongs(found, mended, now)


def test_a_drill_that_failed_or_is_missing_is_told_where_drills_are(tmp_path: Path) -> None:
    keeps = of(tmp_path, backup_keeps=True)
    state = made(*Kind, at=NOON)
    well = state.model_copy(update={"drills": {"sqlite": Drill(at=NOON)}})
    assert not wrongs(keeps, well, NOON)
    failed = Drill(at=NOON, failed="a bit has flipped")
    for update in ({"drills": {"sqlite": failed}}, {"kept": {HERE: failed}}):
        (fault,) = faults(keeps, state.model_copy(update=update), NOON)
        assert (fault.wrong, "a bit has flipped" in fault.what) == (Wrong.DRILL_FAILED, True)
    later = NOON + DRILL_AGE + timedelta(seconds=1)
    fresh = made(*Kind, at=later)
    assert wrongs(keeps, fresh.model_copy(update={"drills": well.drills}), later) == [
        Wrong.DRILL_MISSING
    ]
    never = fresh.model_copy(update={"since": NOON})
    assert wrongs(keeps, never, later) == [Wrong.DRILL_MISSING]
    assert not wrongs(of(tmp_path), never, later)
    # Of a repository that isn't one of ours any more.
    assert not wrongs(keeps, well.model_copy(update={"kept": {"/gone": failed}}), NOON)


def test_a_disk_that_gets_full_is_told_before_it_is(tmp_path: Path) -> None:
    full = of(tmp_path, backup_least_free=10**18, backup_repositories="")
    (fault,) = faults(full, State(), NOON)
    assert fault.wrong is Wrong.DISK_LOW
    assert "Make room" in fault.remedy
    assert not wrongs(of(tmp_path, backup_least_free=0), State(), NOON)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def test_what_is_known_is_read_as_it_was_written(directory: Path) -> None:
    assert read_state(directory) == State()
    state = made(*Kind, at=NOON).with_failed(Kind.LOGS, HERE, "no", NOON)
    write_state(directory, state)
    assert read_state(directory) == state
    assert directory.stat().st_mode & 0o777 == 0o700
    (directory / "state.json").write_text("{")
    assert read_state(directory) == State()

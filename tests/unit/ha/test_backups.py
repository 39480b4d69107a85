"""How backups are: for who looks, for the desk, for the other machine, in numbers."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from prometheus_client.core import Metric

from app.backup import figures
from app.backup.faults import Wrong
from app.backup.figures import backup_metrics
from app.backup.kinds import Kind
from app.backup.noting import see_that_it_began
from app.backup.state import Drill, Made, State, read_state, write_state
from app.conversation.alerting import Alert
from app.ha import backups
from app.ha.alerts import BACKUP_ALERTS, PATIENCE, Troubles
from app.ha.screen import lines
from app.ha.troubling import tell_troubles_alone
from app.leading import Role, Standing, keep, standing_file
from app.lease import Report
from app.settings import Settings
from app.work.desk import make_desk
from tests.support.ha_views import lease, of_leader, of_standby, report
from tests.unit.backup.test_due import HERE, OF_TWO, THERE, made, of
from tests.unit.work.conftest import said_to_desk, settings

NOW = datetime.now(UTC)


@pytest.fixture
def leader(tmp_path: Path) -> Settings:
    """A machine that leads since three days, with backups that are well."""
    found = of(tmp_path, **OF_TWO)
    keep(standing_file(found), Standing(Role.LEADER, 7, "mac"))
    well(found)
    return found


def well(found: Settings, **given: Any) -> State:
    state = made(*Kind, at=datetime.now(UTC)).model_copy(update=given)
    write_state(found.backup_directory, state)
    return state


def shown(found: Settings, view: Any) -> str:
    wrong = backups.troubles_of(found, view)
    said = list(lines(view, None, [], wrong, backups.line(found, view)))
    assert max(map(len, said)) <= 80
    return " ".join(" ".join(said).split())


def test_the_status_says_how_old_they_are_and_when_they_were_last_tried(leader: Settings) -> None:
    drilled = datetime.now(UTC) - timedelta(hours=13)
    view = of_leader(lease=lease("vps", report(Role.STANDBY, drilled_at=drilled)))
    said = shown(leader, view)
    assert "backups redis 0" in said
    assert "sqlite 0" in said
    assert f"last drill {drilled.astimezone():%d %b %H:%M} on vps" in said
    assert "WRONG" not in said


def test_the_machine_that_drills_says_how_that_was(tmp_path: Path) -> None:
    keeps = of(tmp_path, **OF_TWO, backup_keeps=True)
    keep(standing_file(keeps), Standing(Role.STANDBY, 7, "mac"))
    well(keeps)
    assert "last drill: NONE YET" in shown(keeps, of_standby())
    well(keeps, drills={"sqlite": Drill(at=NOW, found="12 rows")})
    assert f"last drill {NOW.astimezone():%d %b %H:%M}, good" in shown(keeps, of_standby())
    well(keeps, drills={"sqlite": Drill(at=NOW, failed="a page is torn")})
    said = shown(keeps, of_standby())
    assert "FAILED" in said
    assert "WRONG: The drill of sqlite failed" in said
    assert "a page is torn" in said


def test_a_machine_without_backups_says_nothing_of_them(tmp_path: Path) -> None:
    bare = settings(tmp_path, **OF_TWO, backup_least_free=0)
    assert backups.line(bare, of_leader()) is None
    assert not backups.troubles_of(bare, of_leader())
    see_that_it_began(bare)
    assert not bare.backup_directory.exists()


def test_one_that_never_began_says_so_in_time(leader: Settings) -> None:
    (leader.backup_directory / "state.json").unlink()
    see_that_it_began(leader)
    began = read_state(leader.backup_directory)
    see_that_it_began(leader)
    assert read_state(leader.backup_directory) == began
    assert not backups.troubles_of(leader, of_leader())
    assert "NONE" in (backups.line(leader, of_leader()) or "")
    write_state(leader.backup_directory, State(since=NOW - timedelta(days=1)))
    assert "was never made" in shown(leader, of_leader())


def test_what_the_other_had_backed_up_before_it_led_is_not_missed(leader: Settings) -> None:
    old = made(*Kind, at=NOW - timedelta(days=2))
    own = made(Kind.LOGS, Kind.CONFIGURATION, Kind.CLOUD, at=NOW)
    write_state(leader.backup_directory, State(backups={**old.backups, **own.backups}))
    assert backups.troubles_of(leader, of_leader())
    assert not backups.troubles_of(leader, of_leader(began_at=NOW - timedelta(minutes=5)))


@pytest.mark.parametrize("wrong", Wrong)
def test_what_is_wrong_there_is_seen_from_here(leader: Settings, wrong: Wrong) -> None:
    told = report(Role.STANDBY, backup_faults=(wrong, "what_comes_with_the_next_release"))
    view = of_leader(lease=lease("vps", told))
    (trouble,) = backups.troubles_of(leader, view)
    assert "vps" in trouble.what
    assert "portiere backup check" in trouble.remedy
    # What one that isn't heard of any more said is old.
    silent = of_leader(lease=lease("vps", told, age=300.0))
    assert not backups.troubles_of(leader, silent)


def test_each_fault_has_an_alert_here_and_there(leader: Settings) -> None:
    assert {alert.value for alert in BACKUP_ALERTS} == {wrong.value for wrong in Wrong}
    assert set(BACKUP_ALERTS) <= set(PATIENCE)
    failing = State(since=NOW - timedelta(days=1)).with_failed(
        Kind.SQLITE, HERE, "no", NOW - timedelta(hours=1)
    )
    write_state(leader.backup_directory, failing)
    told = report(Role.STANDBY, backup_faults=("drill_failed", "unheard_of"))
    here, there = backups.alerts_of(backups.faults_here(leader), told)
    assert here == {Alert.BACKUP_FAILED, Alert.BACKUP_MISSING}
    assert there == {Alert.DRILL_FAILED}
    assert backups.alerts_of([], None) == (set(), set())


def test_an_older_release_tells_nothing_and_a_newer_one_is_understood() -> None:
    old = report(Role.STANDBY).model_dump(exclude={"backup_faults", "drilled_at"})
    assert Report.model_validate(old).backup_faults == ()
    new = {**old, "backup_faults": ["disk_low"], "drilled_at": NOW.isoformat()}
    assert Report.model_validate(new).drilled_at == NOW


def values(found: list[Metric]) -> dict[str, float]:
    return {
        " ".join((sample.name.removeprefix("portiere_"), *sample.labels.values())): sample.value
        for metric in found
        for sample in metric.samples
    }


def test_numbers_are_of_what_this_machine_is_to_back_up(leader: Settings) -> None:
    hour = timedelta(hours=1)
    state = made(*Kind, at=datetime.now(UTC) - hour)
    state = state.with_failed(Kind.LOGS, THERE, "no", datetime.now(UTC))
    state = state.model_copy(
        update={
            "drills": {"sqlite": Drill(at=datetime.now(UTC) - hour)},
            "kept": {HERE: Drill(at=datetime.now(UTC) - hour, failed="no")},
        }
    )
    write_state(leader.backup_directory, state)
    found = values(list(backup_metrics(leader)))
    assert found["disk_free_bytes"] > 0
    assert 3600 <= found[f"backup_age_seconds sqlite {HERE}"] < 3700
    assert (found[f"backup_failed logs {HERE}"], found[f"backup_failed logs {THERE}"]) == (0, 1)
    assert found["backup_drill_failed sqlite"] == 0
    assert found[f"backup_keeping_failed {HERE}"] == 1
    assert 3600 <= found["backup_drill_age_seconds sqlite"] < 3700
    keep(standing_file(leader), Standing(Role.STANDBY, 8, "vps"))
    found = values(list(backup_metrics(leader)))
    assert f"backup_age_seconds sqlite {HERE}" not in found
    assert f"backup_age_seconds logs {HERE}" in found


def test_without_backups_the_free_disk_is_the_only_number(tmp_path: Path) -> None:
    assert set(values(list(backup_metrics(settings(tmp_path))))) == {"disk_free_bytes"}


def test_every_gauge_stands_in_the_docs_and_no_other(leader: Settings) -> None:
    docs = (Path(figures.__file__).parents[2] / "docs/metrics.md").read_text()
    documented = set(re.findall(r"^\| `(portiere_(?:backup|disk)_\w+)`", docs, re.MULTILINE))
    assert {metric.name for metric in backup_metrics(leader)} == documented


def test_a_snapshot_that_was_made_is_noted_whole() -> None:
    state = State().with_made(Kind.SQLITE, HERE, Made(at=NOW, snapshot="ab12cd34"))
    assert state.of(Kind.SQLITE, HERE).failed is None
    assert state.of(Kind.SQLITE, THERE).made is None


def test_a_machine_without_another_tells_the_desk_of_its_own_once(tmp_path: Path) -> None:
    found = of(tmp_path, backup_least_free=10**18, alert_whatsapp=["+390000000002"])
    desk, told = make_desk(found), Troubles()
    write_state(found.backup_directory, made(*Kind, at=datetime.now(UTC)))
    with time_machine.travel(datetime.now(UTC)) as clock:
        tell_troubles_alone(found, told, desk)
        assert said_to_desk(desk) == []
        for _ in range(3):
            clock.shift(PATIENCE[Alert.DISK_LOW])
            tell_troubles_alone(found, told, desk)
    (said,) = said_to_desk(desk)
    assert "mac" in said
    assert "portiere ha status" in said
    desk.database.close_all()

"""``portiere backup`` as launchd and systemd start it: killed, cut off, started twice, asked."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup.state import Drill, State, read_state, write_state
from app.leading import Role, Standing, keep
from tests.support.processes import PORTIERE, eventually
from tests.unit.test_cli_ha import BASE, OF_TWO

pytestmark = pytest.mark.thorough
# Slow enough to be met on the way.
SLOWLY = "300k"
SIZE = 3_000_000


@dataclass
class Host:
    """A standby that has configuration to back up, to a repository that it reaches slowly."""

    directory: Path
    env: dict[str, str]

    @property
    def repository(self) -> Path:
        return self.directory / "there"

    @property
    def state(self) -> State:
        return read_state(self.directory / "backup")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [PORTIERE, "backup", *words],
            env={"PATH": os.environ["PATH"], **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        said, _ = process.communicate(timeout=240)
        return process.returncode, said

    def restic(self, *words: str) -> str:
        done = subprocess.run(
            ["restic", "-r", self.repository, "--no-lock", *words],
            env={"PATH": os.environ["PATH"], "RESTIC_PASSWORD": "invented-key", "HOME": "/"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def snapshots(self) -> int:
        return len(json.loads(self.restic("snapshots", "--json")))

    def is_under_way(self) -> bool:
        """Whether a part of what is stored is there, and not the rest of it."""
        files = [path for path in (self.repository / "data").rglob("*") if path.is_file()]
        return any(SIZE // 10 < path.stat().st_size < SIZE // 2 for path in files)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/random").write_bytes(os.urandom(SIZE))
    program = tmp_path / "line"
    program.write_text(
        f"#!/bin/sh\necho $$ >> {tmp_path}/lines\n"
        f"exec rclone serve restic --stdio --append-only $(cat {tmp_path}/speed) {tmp_path}/there\n"
    )
    program.chmod(0o755)
    (tmp_path / "speed").write_text("")
    env = {
        **BASE,
        **OF_TWO,
        "PORTIERE_DATABASE": str(tmp_path / "p.db"),
        "PORTIERE_BACKUP_REPOSITORIES": "rclone:there",
        "PORTIERE_BACKUP_KEY": "invented-key",
        "PORTIERE_BACKUP_SSH": str(program),
        "PORTIERE_BACKUP_CONFIGURATION": str(tmp_path / "etc"),
        "PORTIERE_BACKUP_LEAST_FREE": "0",
    }
    return Host(tmp_path, env)


@contextmanager
def slowly(host: Host) -> Iterator[None]:
    (host.directory / "speed").write_text(f"--bwlimit {SLOWLY}")
    yield
    (host.directory / "speed").write_text("")


def changed(host: Host) -> None:
    (host.directory / "etc/random").write_bytes(os.urandom(SIZE))


def test_first_all_then_nothing_is_due(host: Host) -> None:
    code, said = host.run("run")
    assert code == 0, said
    assert "configuration" in said
    code, said = host.run("run")
    assert (code, "Nothing is due." in said) == (0, True)
    assert host.snapshots() == 1
    code, said = host.run("check")
    assert code == 0, said
    assert "all is well" in said
    assert "configuration" in said


def test_who_keeps_the_repository_looks_after_it_and_drills_once_a_night(host: Host) -> None:
    address = str(host.directory / "kept")
    host.env |= {"PORTIERE_BACKUP_REPOSITORIES": address, "PORTIERE_BACKUP_KEEPS": "true"}
    code, said = host.run("run")
    assert code == 0, said
    assert "tried" in said
    first = host.state
    assert first.kept[address].failed is None
    assert first.drills["configuration"].failed is None
    code, said = host.run("run")
    assert (code, "Nothing is due." in said) == (0, True)
    assert host.state == first
    # The next night finds that what was stored has turned.
    night = datetime.now(UTC) - timedelta(days=2)
    old = first.model_copy(
        update={
            "drills": {name: Drill(at=night) for name in first.drills},
            "kept": {address: Drill(at=night)},
        }
    )
    write_state(host.directory / "backup", old)
    for pack in (Path(address) / "data").rglob("*"):
        if pack.is_file() and pack.stat().st_size > SIZE // 10:
            pack.chmod(0o600)
            flipped = bytearray(pack.read_bytes())
            flipped[len(flipped) // 2] ^= 1
            pack.write_bytes(flipped)
    code, said = host.run("run")
    assert code == 1, said
    assert "FAILED" in said
    assert host.state.drills["configuration"].failed
    assert host.run("check")[0] == 1


def test_one_that_is_killed_midway_leaves_nothing_in_the_way_of_the_next(host: Host) -> None:
    assert host.run("now")[0] == 0
    before = host.state
    changed(host)
    with slowly(host):
        process = host.start("now")
        eventually(host.is_under_way, "restic is under way")
        # All of it, as when the power goes.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert host.state == before
    assert host.snapshots() == 1
    code, said = host.run("now")
    assert code == 0, said
    assert host.snapshots() == 2
    host.restic("check", "--read-data")
    left = list((host.directory / "backup").glob("staged-*"))
    assert len(left) == 1
    assert left[0].stat().st_mode & 0o777 == 0o700


def test_a_line_that_is_cut_midway_is_a_failure_with_a_remedy_and_heals(host: Host) -> None:
    other = host.directory / "other"
    host.env["PORTIERE_BACKUP_REPOSITORIES"] += f",{other}"
    assert host.run("now")[0] == 0
    changed(host)
    (host.directory / "lines").unlink()
    with slowly(host):
        process = host.start("now")
        eventually(host.is_under_way, "restic is under way")
        for line in (host.directory / "lines").read_text().split():
            os.kill(int(line), signal.SIGKILL)
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert "FAILED: rclone:there" in said
    assert "PORTIERE_BACKUP_SSH" in said
    backups = host.state.backups["configuration"]  # type: ignore[index]  # as it is written
    assert backups["rclone:there"].failed
    assert backups["rclone:there"].made
    # The other one has it all the same.
    assert backups[str(other)].failed is None
    assert not list((host.directory / "backup").glob("staged-*"))
    code, said = host.run("run")
    assert code == 0, said
    assert host.state.backups["configuration"]["rclone:there"].failed is None  # type: ignore[index]
    host.restic("check", "--read-data")


def test_a_second_one_waits_for_the_first(host: Host) -> None:
    assert host.run("run")[0] == 0
    changed(host)
    with slowly(host):
        first = host.start("now")
        eventually(host.is_under_way, "the first is under way")
        second = host.start("run")
        assert second.stdout is not None
        assert "waiting for it" in second.stdout.readline()
        assert first.poll() is None
        assert first.wait(timeout=240) == 0
        said, _ = second.communicate(timeout=240)
    # What the first has done isn't due any more.
    assert (second.returncode, "Nothing is due." in said) == (0, True)
    assert host.snapshots() == 2


def test_what_is_not_this_machines_is_refused(host: Host) -> None:
    code, said = host.run("now", "sqlite")
    assert (code, "doesn't lead" in said) == (3, True)
    code, said = host.run("now", "cloud")
    assert (code, "no cloud to back up" in said) == (3, True)
    host.env["PORTIERE_BACKUP_REPOSITORIES"] = ""
    for words in ("run", "now", "list", "check", "drill"):
        code, said = host.run(words)
        assert (code, "PORTIERE_BACKUP_REPOSITORIES is not set" in said) == (3, True)


def test_what_there_is_is_listed_and_a_repository_that_is_silent_is_said(host: Host) -> None:
    assert host.run("now")[0] == 0
    code, said = host.run("list")
    assert code == 0, said
    (snapshot,) = json.loads(host.restic("snapshots", "--json"))
    assert snapshot["id"][:8] in said
    assert "rclone:there: 1 snapshots" in said
    code, said = host.run("list", "--json", "configuration")
    (line,) = [json.loads(one) for one in said.splitlines()]
    assert (line["id"], line["kind"], line["good"]) == (snapshot["id"], "configuration", False)
    assert host.run("list", "redis")[1] == "rclone:there: no snapshots\n"
    host.env["PORTIERE_BACKUP_SSH"] = "false"
    code, said = host.run("list")
    assert (code, "PORTIERE_BACKUP_SSH" in said) == (2, True)
    code, said = host.run("check")
    assert (code, "1 WRONG" in said, "PORTIERE_BACKUP_SSH" in said) == (2, True, True)


def test_what_is_wrong_is_told_by_check_and_its_code(host: Host) -> None:
    assert host.run("now")[0] == 0
    long_ago = datetime.now(UTC) - timedelta(days=9)
    failed = Drill(at=long_ago, failed="a page is torn")
    write_state(
        host.directory / "backup",
        host.state.model_copy(update={"drills": {"sqlite": failed}}),
    )
    code, said = host.run("check")
    assert (code, "a page is torn" in said, "do: " in said) == (1, True, True)
    code, said = host.run("check", "--json")
    found = json.loads(said)
    assert (code, found["silent"], found["leads"]) == (1, [], False)
    assert [one["is"] for one in found["wrong"]] == ["drill_failed"]
    assert all(one["remedy"] for one in found["wrong"])


def test_who_leads_backs_the_desk_up_and_a_drill_finds_it_good(host: Host) -> None:
    keep(host.directory / "ha/standing.json", Standing(Role.LEADER, 1, "mac"))
    # The desk's own programs make the database.
    subprocess.run(
        [sys.executable, "-c", "from app.store.database import open_database as o; import sys; "
         "from pathlib import Path; o(Path(sys.argv[1])).close_all()", host.directory / "p.db"],
        check=True,
    )  # fmt: skip
    code, said = host.run("now", "sqlite")
    assert code == 0, said
    with closing(sqlite3.connect(host.directory / "p.db")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    code, said = host.run("drill")
    assert code == 0, said
    assert "sqlite" in said
    assert host.state.drills["sqlite"].failed is None

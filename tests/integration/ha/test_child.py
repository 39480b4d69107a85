"""A program of which there is never more than one, whoever is killed."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.ha import child as under_test
from app.ha.child import Child, ChildError, Patience
from tests.support.processes import REPOSITORY, Process, eventually

ENV = {"PATH": os.defpath}
SOON = timedelta(seconds=3)
# Says its pid, then waits; deaf: whatever SIGTERM says.
WAITS = "echo $$ >> pids; exec sleep 600"
DEAF = 'trap "" TERM; echo $$ >> pids; while true; do sleep 0.1; done'
KEEPER = """
import sys, time
from pathlib import Path
from app.ha.child import Child
directory = Path(sys.argv[1])
child = Child("one", directory, ["sh", "-c", sys.argv[2]], {"PATH": sys.argv[3]}, directory / "log")
child.start()
time.sleep(600)
"""


def child(directory: Path, what: str = WAITS) -> Child:
    return Child("one", directory, ["sh", "-c", what], ENV, directory / "log")


def pids(directory: Path) -> list[int]:
    said = directory / "pids"
    return [int(line) for line in said.read_text().split()] if said.exists() else []


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Who is dead and not yet asked for its exit code runs no more.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What doesn't end by itself is killed sooner here."""
    monkeypatch.setattr(under_test, "_BOUND", timedelta(seconds=0.5))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Process]:
    """Another process that starts the child, as a node would; ``command`` is completed by tests."""
    process = Process(
        [sys.executable, "-c", KEEPER, str(tmp_path)],
        {"PYTHONPATH": str(REPOSITORY)},
        tmp_path / "keeper.log",
    )
    yield process
    if hasattr(process, "popen"):
        process.kill()


@pytest.mark.parametrize("what", [WAITS, DEAF])
def test_what_a_killed_process_left_over_is_ended_before_the_next_starts(
    tmp_path: Path, keeper: Process, what: str
) -> None:
    keeper.command += [what, os.defpath]
    keeper.start()
    (left,) = eventually(lambda: pids(tmp_path), "the first runs")
    keeper.kill()
    assert runs(left)

    mine = child(tmp_path)
    mine.start()

    eventually(lambda: len(pids(tmp_path)) == 2, "the second runs")
    assert not runs(left)
    assert mine.is_alive()
    mine.stop(SOON)


def test_what_is_frozen_is_ended_too(tmp_path: Path, keeper: Process) -> None:
    keeper.command += [WAITS, os.defpath]
    keeper.start()
    (left,) = eventually(lambda: pids(tmp_path), "the first runs")
    os.kill(left, signal.SIGSTOP)
    keeper.kill()

    mine = child(tmp_path)
    mine.start()

    assert not runs(left)
    mine.stop(SOON)


def test_a_start_while_it_runs_ends_the_first(tmp_path: Path) -> None:
    first, second = child(tmp_path), child(tmp_path)
    first.start()
    eventually(lambda: pids(tmp_path), "the first runs")
    second.start()
    eventually(lambda: len(pids(tmp_path)) == 2, "the second runs")
    assert not first.is_alive()
    assert first.ended() == -signal.SIGTERM
    second.stop(SOON)


def test_a_stop_is_bounded(tmp_path: Path) -> None:
    deaf = child(tmp_path, DEAF)
    deaf.start()
    eventually(lambda: pids(tmp_path), "it runs")
    deaf.stop(timedelta(seconds=0.2))
    assert deaf.ended() == -signal.SIGKILL
    deaf.stop(SOON)  # once more changes nothing


def test_it_gets_no_environment_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTIERE_SPOKI_API_KEY", "invented-secret")
    told = child(tmp_path, "env")
    told.start()
    eventually(lambda: told.ended() == 0, "it ended")
    log = (tmp_path / "log").read_text()
    assert "invented-secret" not in log
    assert told.last_words() in log


def test_what_cant_be_run_ends_and_says_why(tmp_path: Path) -> None:
    broken = Child("one", tmp_path, [str(tmp_path / "isnt-there")], ENV, tmp_path / "log")
    broken.start()
    assert eventually(broken.ended, "it ended") == 127
    assert "isnt-there" in broken.last_words()


def test_who_holds_the_lock_without_a_name_is_not_guessed(tmp_path: Path) -> None:
    holder = child(tmp_path)
    holder.start()
    (pid,) = eventually(lambda: pids(tmp_path), "it runs")
    (tmp_path / "one.lock").write_text("")

    with pytest.raises(ChildError, match="unknown"):
        child(tmp_path).start()

    assert runs(pid)
    holder.stop(SOON)


def test_a_large_log_is_put_beside(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 1_000_001)
    told = child(tmp_path, "echo new")
    told.start()
    eventually(lambda: told.ended() == 0, "it ended")
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.1").stat().st_size == 1_000_001


def test_patience_doubles_and_begins_anew() -> None:
    patience = Patience(timedelta(seconds=0.05), timedelta(seconds=0.1))
    assert patience.is_over()
    patience.lost()
    assert not patience.is_over()
    eventually(patience.is_over, "the first wait is over")
    patience.lost()
    patience.won()
    assert patience.is_over()

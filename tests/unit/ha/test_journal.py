"""The journal: steps with their times, through torn lines, and of a bounded size."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.ha import journal as journal_module
from app.ha.journal import Entry, Journal, State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ha" / "journal.jsonl"


def states(entries: list[Entry]) -> list[tuple[int, State]]:
    return [(entry.step, entry.state) for entry in entries]


def test_a_step_is_written_down_as_it_begins_and_as_it_is_done(path: Path) -> None:
    journal = Journal(path)
    run = journal.run("takeover", 4)
    with run.step(1, "promote Redis") as step:
        assert states(Journal(path).entries()) == [(1, State.BEGAN)]
        step.note = "3 forgotten"
    began, done = journal.entries()
    assert (began.state, began.took_ms, began.note) == (State.BEGAN, None, None)
    assert (done.state, done.note, done.term, done.procedure) == (
        State.DONE,
        "3 forgotten",
        4,
        "takeover",
    )
    assert done.took_ms is not None
    assert done.at.tzinfo is not None


def test_a_step_that_fails_is_written_down_with_the_reason_and_raises_on(path: Path) -> None:
    run = Journal(path).run("switchover", 5)
    with pytest.raises(OSError, match="no space"), run.step(2, "sync"):
        raise OSError("no space left")
    assert Journal(path).entries()[-1].note == "OSError: no space left"
    with run.step(2, "sync"):
        pass
    (past,) = Journal(path).runs(9)
    assert (past.state, len(past.steps)) == (State.DONE, 1)


def test_a_process_that_is_told_to_end_in_a_step_has_written_down_that_it_failed(
    path: Path,
) -> None:
    with pytest.raises(SystemExit), Journal(path).run("rejoin", 5).step(1, "set aside"):
        raise SystemExit
    assert Journal(path).entries()[-1].note == "SystemExit"


def test_what_a_check_of_data_repeats_is_not_written_down(path: Path) -> None:
    class Told(BaseModel):
        number: int

    with pytest.raises(ValidationError), Journal(path).run("rejoin", 5).step(1, "hand over"):
        Told.model_validate({"number": "Anna Verdi"})
    assert "Anna" not in path.read_text()


def test_steps_do_not_nest(path: Path) -> None:
    run = Journal(path).run("takeover", 4)
    with pytest.raises(RuntimeError), run.step(1, "outer"), run.step(2, "inner"):
        pass
    assert states(Journal(path).entries()) == [(1, State.BEGAN), (1, State.FAILED)]


def test_the_last_runs_are_read_back_the_newest_first(path: Path) -> None:
    journal = Journal(path)
    for term in range(1, 5):
        run = journal.run("takeover", term)
        for number in (2, 1):
            with run.step(number, f"step {number}"):
                pass
    runs = journal.runs(2)
    assert [run.term for run in runs] == [4, 3]
    assert [step.step for step in runs[0].steps] == [1, 2]
    assert runs[0].took.total_seconds() >= 0


def test_a_run_is_gone_on_with_after_a_crash(path: Path) -> None:
    first = Journal(path).run("takeover", 4)
    with first.step(1, "a"):
        pass
    again = Journal(path).run("takeover", 4, run=first.run)
    with again.step(2, "b"):
        pass
    (past,) = Journal(path).runs(9)
    assert [step.name for step in past.steps] == ["a", "b"]


# It waits for the disk, which says only how busy the machine is.
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(torn=st.binary(max_size=80), cut=st.integers(0, 400))
def test_a_torn_line_costs_that_line_alone(tmp_path: Path, torn: bytes, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    run = Journal(path).run("takeover", 4)
    with run.step(1, "before"):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut].split(b"\n")[0][:-1] + torn.replace(b"\n", b" "))
    kept = Journal(path).entries()
    assert states(kept[:2]) == [(1, State.BEGAN), (1, State.DONE)]
    with run.step(2, "after"):
        pass
    assert states(Journal(path).entries())[-2:] == [(2, State.BEGAN), (2, State.DONE)]


@given(st.integers(0, 100))
def test_every_cut_of_the_file_leaves_the_whole_lines(share: int) -> None:
    lines = [
        json.dumps(
            {
                "at": "2026-11-27T10:00:00Z",
                "steady_at": number,
                "boot": "b",
                "procedure": "takeover",
                "run": "r",
                "term": 1,
                "step": number,
                "name": "né à",
                "state": "done",
            },
            ensure_ascii=False,
        )
        for number in range(3)
    ]
    text = ("\n".join(lines) + "\n").encode()
    cut = text[: len(text) * share // 100]
    read = [entry for line in cut.split(b"\n") if (entry := journal_module._entry(line))]
    assert len(read) in {cut.count(b"\n"), cut.count(b"\n") + 1}
    assert [entry.step for entry in read] == list(range(len(read)))


def test_the_file_stays_small_and_one_old_one_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "LARGEST", 2000)
    journal = Journal(path)
    for term in range(40):
        with journal.run("takeover", term).step(1, "promote"):
            pass
    assert path.stat().st_size <= 2000
    assert sorted(one.name for one in path.parent.iterdir()) == ["journal.jsonl", "journal.jsonl.1"]
    assert [run.term for run in journal.runs(3)] == [39, 38, 37]


def test_what_is_done_is_on_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _file: synced.append(path.read_bytes().count(b"\n")))
    with Journal(path).run("takeover", 4).step(1, "promote"):
        pass
    assert synced == [2]

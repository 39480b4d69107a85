"""What a person asks of the node: one at a time, answered once, void when nobody took it up."""

import multiprocessing
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app import steady
from app.ha import asked
from app.ha.asked import AskedError, Outcome, Request, Verb

SOON = timedelta(seconds=20)


def request(verb: Verb = Verb.FAILOVER, by: str = "anna") -> Request:
    return Request(verb=verb, by=by)


def test_what_is_asked_is_pending_until_it_is_answered(tmp_path: Path) -> None:
    assert asked.pending(tmp_path) is None
    wanted = Request(verb=Verb.SWITCHOVER, to="vps", force=True, by="anna")
    asked.ask(tmp_path, wanted)
    assert asked.pending(tmp_path) == wanted
    asked.answer(tmp_path, wanted.id, Outcome.DONE, "vps leads in term 5.")
    assert asked.pending(tmp_path) is None
    found = asked.answered(tmp_path, wanted.id)
    assert found is not None
    assert (found.outcome, found.message) == (Outcome.DONE, "vps leads in term 5.")


def test_a_second_one_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    asked.ask(tmp_path, request(by="anna"))
    with pytest.raises(AskedError, match=r"failover was asked for by anna.*portiere ha status"):
        asked.ask(tmp_path, request(Verb.REJOIN, by="bruno"))
    found = asked.pending(tmp_path)
    assert found is not None
    assert found.by == "anna"


def test_the_next_one_is_taken_after_the_answer(tmp_path: Path) -> None:
    first, second = request(), request()
    asked.ask(tmp_path, first)
    asked.answer(tmp_path, first.id, Outcome.FAILED, "no")
    asked.ask(tmp_path, second)
    assert asked.pending(tmp_path) == second
    assert asked.answered(tmp_path, second.id) is None


def _ask(directory: Path, at: object, number: int, results: object) -> None:
    at.wait()  # type: ignore[attr-defined]  # a barrier
    try:
        asked.ask(directory, request(by=str(number)))
    except AskedError:
        return
    results.put(number)  # type: ignore[attr-defined]  # a queue


def test_of_many_processes_that_ask_at_once_one_is_heard(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(6), context.SimpleQueue()
    asking = [
        context.Process(target=_ask, args=(tmp_path, barrier, number, results))
        for number in range(6)
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    found = asked.pending(tmp_path)
    assert found is not None
    assert str(results.get()) == found.by
    assert results.empty()


def test_a_node_killed_between_answer_and_clearing_up_does_not_do_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request()
    asked.ask(tmp_path, wanted)

    def killed(_directory: Path) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(asked, "_pending", killed)
        with pytest.raises(SystemExit):
            asked.answer(tmp_path, wanted.id, Outcome.DONE, "done")
    assert (tmp_path / "asked.json").exists()
    assert asked.pending(tmp_path) is None
    asked.ask(tmp_path, request())


def test_a_request_torn_by_a_power_cut_is_none(tmp_path: Path) -> None:
    asked.ask(tmp_path, request())
    path = tmp_path / "asked.json"
    path.write_bytes(path.read_bytes()[:20])
    assert asked.pending(tmp_path) is None
    asked.ask(tmp_path, request())


def _another_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "boot", lambda: "another")


def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = steady.now() + asked.VOID_AFTER.total_seconds() + 1
    monkeypatch.setattr(steady, "now", lambda: now)


@pytest.mark.parametrize("meanwhile", [_another_boot, _later])
def test_what_nobody_took_up_is_void(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[pytest.MonkeyPatch], None],
) -> None:
    asked.ask(tmp_path, request())
    meanwhile(monkeypatch)
    assert asked.pending(tmp_path) is None


def test_an_answer_is_waited_for(tmp_path: Path) -> None:
    wanted = request()
    asked.ask(tmp_path, wanted)
    answering = threading.Thread(
        target=asked.answer, args=(tmp_path, wanted.id, Outcome.NOTHING_TO_DO, "it leads already")
    )
    answering.start()
    found = asked.await_answer(tmp_path, wanted.id, SOON)
    answering.join()
    assert found is not None
    assert found.outcome is Outcome.NOTHING_TO_DO


def test_an_answer_to_another_is_none_of_ours(tmp_path: Path) -> None:
    first = request()
    asked.ask(tmp_path, first)
    asked.answer(tmp_path, first.id, Outcome.DONE, "done")
    assert asked.await_answer(tmp_path, "another", timedelta(0)) is None

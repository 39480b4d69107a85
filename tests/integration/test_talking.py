"""Guests who talk to a real stack while it breaks, counted afterwards."""

import json

import pytest

from tests.rehearsal.accounts import Outside, account, talking
from tests.rehearsal.shell import RehearsalError
from tests.rehearsal.talking import phone_of
from tests.support.guest import open_rows
from tests.support.processes import WEBHOOK_SECRET, Stack, eventually

RATE = 40.0


def outside(found: Stack) -> Outside:
    """The sandbox and the gateway of a stack."""
    return Outside(found.sandbox_url, f"{found.gateway_url}/webhooks/spoki", WEBHOOK_SECRET)


def test_a_worker_killed_in_the_middle_of_a_talk_loses_and_doubles_nothing(own: Stack) -> None:
    own.start_worker()
    with talking(outside(own), rate=RATE, guests=8) as talk:
        eventually(lambda: len(talk.count().handed) > 20, "replies come")
        own.worker.kill()
        killed_at = len(talk.count().told)
        eventually(lambda: len(talk.count().told) > killed_at + 20, "guests write on")
        written = len(talk.count().told)
        own.start_worker()
        # Not until all is settled: they write on, so that may be at no moment that is looked at.
        eventually(lambda: len(talk.count().handed) > written, "what was written is answered")
        talk.stop()
        found = talk.settle(60)
    assert found.verdict.told > killed_at + 20
    assert found.verdict.answered == found.verdict.told
    assert (found.verdict.lost, found.verdict.doubled, found.verdict.unaccepted) == ((), (), ())
    assert {one.source for one in found.handed} == {"127.0.0.1"}
    assert open_rows(own) == 0


def test_what_nobody_answers_is_told_as_lost(own: Stack) -> None:
    """No worker runs: all is accepted by both ways, and nothing answered."""
    with talking(outside(own), rate=RATE, guests=2, count=10) as talk:
        eventually(lambda: len(talk.count().verdict.lost) == 10, "all ten are accepted")
        talk.stop()
        found = talk.settle(0)
    assert found.verdict.answered == 0
    assert not found.verdict.is_good


def test_what_no_door_takes_is_not_told_as_lost(own: Stack) -> None:
    own.gateway.stop()
    with talking(outside(own), rate=RATE, guests=2, count=4) as talk:
        eventually(lambda: len(talk.count().told) == 4, "all four are written")
        verdict = talk.count().verdict
    assert len(verdict.unaccepted) == 4
    assert verdict.is_good


def test_a_sandbox_that_was_started_anew_says_nothing_of_a_talk() -> None:
    line = {"key": "reply-1", "at": 1.0, "way": "provider"}
    with pytest.raises(RehearsalError, match="forgotten 1 messages"):
        account(json.dumps(line), {"written": [], "handed": []})


def test_a_line_torn_by_a_kill_is_left_out() -> None:
    line = json.dumps({"key": "reply-1", "at": 1.0, "way": "door"})
    torn = f"{line}\n{line[:-5]}"
    assert len(account(torn, {"written": [], "handed": []}).told) == 1


def test_the_guests_are_nobody() -> None:
    assert phone_of(39) == "+390009000039"

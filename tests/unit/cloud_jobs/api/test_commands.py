"""The long poll: at once where there is something, soon where something comes, else at its end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cloud_jobs.api import offering
from cloud_jobs.api.offering import Offering
from cloud_jobs.api.parts import Parts
from cloud_jobs.exchange.bell import Bell
from cloud_jobs.runtime.job import Jobs
from tests.support.cloud_api import NODE, TOOL, CloudApi, event, kind
from tests.support.processes import eventually, free_port
from tests.unit.cloud_jobs.api.conftest import MakeApi


@pytest.fixture
def api(make_api: MakeApi) -> CloudApi:
    """One each: it remembers what it offered, and when."""
    return make_api()


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["commands"]]


def poll(api: CloudApi, wait: int = 0) -> list[str]:
    return ids(api.signed("GET", f"/api/commands?wait={wait}"))


def meanwhile(api: CloudApi, what: Callable[[], Any], wait: int = 25) -> list[str]:
    """What a poll is answered with, when ``what`` happens once it waits."""

    async def go() -> httpx.Response:
        waiting = asyncio.create_task(api.signed_request("GET", f"/api/commands?wait={wait}"))
        await asyncio.to_thread(eventually, lambda: api.app.state.listening.waiting, "it waits")
        await asyncio.to_thread(what)
        async with asyncio.timeout(10):
            return await waiting

    return ids(api.loop.run_until_complete(go()))


def test_commands_are_offered_in_order_as_they_were_issued(api: CloudApi) -> None:
    for number in range(3):
        api.issue(f"c-{number}", "SEND_MESSAGE", guest="a" * 64, text=f"{number}")
    answer = api.signed("GET", "/api/commands").json()["commands"]
    assert [(one["id"], one["idempotency_key"]) for one in answer] == [
        (f"c-{number}", f"c-{number}") for number in range(3)
    ]
    assert answer[1]["name"] == "SEND_MESSAGE"
    assert answer[1]["payload"] == {"guest": "a" * 64, "text": "1"}


def test_an_id_is_one_command(api: CloudApi) -> None:
    api.issue("one", queue="notices")
    api.issue("one", queue="sends")
    (offered,) = api.signed("GET", "/api/commands").json()["commands"]
    assert offered["payload"] == {"queue": "notices"}


def test_what_is_there_is_offered_at_once_and_until_it_is_settled(api: CloudApi) -> None:
    api.issue("one")
    assert poll(api, wait=25) == ["one"]
    assert poll(api) == ["one"]
    told = {"state": "done", "result": {"resumed": True}}
    answer = api.signed("POST", "/api/commands/one/result", told)
    assert answer.json() == {"id": "one", "state": "done", "duplicate": False}
    assert poll(api) == []
    again = api.signed("POST", "/api/commands/one/result", {"state": "failed", "error": {}})
    assert again.json() == {"id": "one", "state": "done", "duplicate": True}


def test_what_is_issued_meanwhile_is_heard_of_and_offered(
    api: CloudApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "LOOK", timedelta(minutes=1))
    bell = Bell(api.settings.redis_url.get_secret_value())
    bell.attend(api.store)
    assert meanwhile(api, lambda: api.issue("one")) == ["one"]


@pytest.mark.thorough
def test_without_a_bell_it_looks(api: CloudApi) -> None:
    assert meanwhile(api, lambda: api.issue("one")) == ["one"]


def test_a_bell_that_cannot_ring_lets_its_process_go_on(api: CloudApi) -> None:
    Bell(f"redis://127.0.0.1:{free_port()}/0").attend(api.store)
    api.issue("one")
    assert poll(api) == ["one"]


@pytest.mark.thorough
def test_what_is_under_way_does_not_answer_a_poll_that_waits(api: CloudApi) -> None:
    api.issue("one")
    assert poll(api, wait=25) == ["one"]
    # It comes with the next one, or once it is due again: never silently gone.
    assert meanwhile(api, lambda: api.issue("two")) == ["one", "two"]
    assert poll(api, wait=1) == ["one", "two"]


def test_who_has_gone_was_offered_nothing(api: CloudApi) -> None:
    """Or the next poll would wait until it is due again."""
    api.issue("one")
    parts = Parts(api.settings, api.store, api.seal, Jobs(), lambda _: None)
    polls = Offering(parts, api.app.state.listening)

    async def poll(*, gone: bool) -> list[str]:
        async def is_gone() -> bool:
            return gone

        async with asyncio.timeout(4):
            offers = await polls.wait(timedelta(seconds=25), is_gone)
        return [one.id for one in offers.commands]

    assert api.loop.run_until_complete(poll(gone=True)) == []
    assert api.loop.run_until_complete(poll(gone=False)) == ["one"]


def test_a_process_that_ends_lets_its_polls_go(api: CloudApi) -> None:
    def end() -> None:
        api.loop.call_soon_threadsafe(api.app.state.listening.end)

    assert meanwhile(api, end) == []


def test_an_answer_has_a_hundred_at_most_and_not_too_much(api: CloudApi) -> None:
    for number in range(101):
        api.issue(f"c-{number}")
    offered = poll(api)
    assert len(offered) == 100
    api.tell(*(event("command.finished", {"id": one, "state": "done"}) for one in offered))
    for number in range(3):
        api.issue(f"large-{number}", text="x" * 600_000)
    assert poll(api) == ["c-100", "large-0"]


def test_commands_are_for_the_node_alone(make_api: MakeApi) -> None:
    api = make_api(node="other")
    for answer in (
        api.signed("GET", "/api/commands", by=NODE),
        api.signed("POST", "/api/commands/one/result", {"state": "done"}, by=NODE),
    ):
        assert (answer.status_code, kind(answer)) == (403, "not-the-node")
    assert kind(api.signed("GET", "/api/commands", by=TOOL)) == "scope-missing"


def test_commands_are_also_for_the_node_that_stands_by(make_api: MakeApi) -> None:
    api = make_api(node="other", node_standby=NODE)
    api.issue("one")
    assert poll(api) == ["one"]
    settled = api.signed("POST", "/api/commands/one/result", {"state": "done"}, by=NODE)
    assert settled.json() == {"id": "one", "state": "done", "duplicate": False}


@pytest.mark.parametrize("query", ["wait=26", "wait=-1", "wait=x", "wait=1.5"])
def test_nobody_waits_for_longer_than_25_seconds(api: CloudApi, query: str) -> None:
    answer = api.signed("GET", f"/api/commands?{query}")
    assert (answer.status_code, kind(answer)) == (422, "invalid-request")


def test_a_result_is_of_a_command_that_there_is(api: CloudApi) -> None:
    unknown = api.signed("POST", "/api/commands/never/result", {"state": "done"})
    assert (unknown.status_code, kind(unknown)) == (404, "command-unknown")
    api.issue("one")
    wrong = api.signed("POST", "/api/commands/one/result", {"state": "offered"})
    assert (wrong.status_code, kind(wrong)) == (422, "invalid-request")

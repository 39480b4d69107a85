"""Runs by the API: listed, shown, replayed, cancelled, counted; their queues paused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from cloud_jobs.exchange import audit
from cloud_jobs.store.runs import Run, State
from tests.support.cloud_api import GUEST, READER, CloudApi, event, kind

SECRET = "Domani manca l'acqua."


def start(api: CloudApi, many: int = 1) -> list[str]:
    """Runs of one job, as a tool's events start them."""
    for _ in range(many):
        api.tell(event("translation.wanted", {"text": SECRET}, guest=GUEST))
    with api.store.reading() as session:
        return list(session.scalars(select(Run.run_id).order_by(Run.seq)))


def set_state(api: CloudApi, state: State, *run_ids: str) -> None:
    with api.store.writing() as session:
        session.execute(update(Run).where(Run.run_id.in_(run_ids)).values(state=state))


def listed(api: CloudApi, query: str = "") -> list[str]:
    answer = api.signed("GET", f"/api/runs{query}")
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["runs"]]


def post(api: CloudApi, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = api.signed("POST", path, body)
    assert answer.status_code < 300, answer.text
    return answer.json()


def test_runs_are_listed_page_by_page_without_what_they_were_given(api: CloudApi) -> None:
    runs = start(api, 5)
    first = api.signed("GET", "/api/runs?limit=3")
    assert SECRET not in first.text
    assert GUEST not in first.text
    assert [run["run_id"] for run in first.json()["runs"]] == runs[:1:-1]
    rest = api.signed("GET", f"/api/runs?limit=3&before={first.json()['next']}").json()
    assert ([run["run_id"] for run in rest["runs"]], rest["next"]) == (runs[1::-1], None)


def test_runs_are_found_by_job_state_and_time(api: CloudApi) -> None:
    one, two = start(api, 2)
    set_state(api, State.FAILED, one)
    assert listed(api, "?state=failed") == [one]
    assert listed(api, "?state=queued&job=note") == [two]
    assert listed(api, "?job=other") == []
    assert listed(api, "?since=2026-01-01T00:00:00Z") == [two, one]
    assert listed(api, "?until=2026-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "since=0", "before=0", "more=1"])
def test_a_filter_that_is_wrong_is_refused(api: CloudApi, query: str) -> None:
    assert kind(api.signed("GET", f"/api/runs?{query}")) == "invalid-request"


def test_a_run_is_shown_with_its_steps_and_without_their_results(api: CloudApi) -> None:
    (run_id,) = start(api)
    shown = api.signed("GET", f"/api/runs/{run_id}")
    assert (shown.json()["run"]["job"], shown.json()["steps"]) == ("note", [])
    assert SECRET not in shown.text
    assert kind(api.signed("GET", f"/api/runs/{'0' * 32}")) == "run-unknown"
    assert kind(api.signed("GET", "/api/runs/short")) == "invalid-request"


def test_a_run_that_is_over_is_done_again_as_another(api: CloudApi) -> None:
    (run_id,) = start(api)
    waits = api.signed("POST", f"/api/runs/{run_id}/replay", {})
    assert (waits.status_code, kind(waits)) == (409, "run-not-over")
    set_state(api, State.FAILED, run_id)
    (again,) = post(api, f"/api/runs/{run_id}/replay", {"keep_steps": True})["run_ids"]
    assert listed(api) == [again, run_id]
    shown = api.signed("GET", f"/api/runs/{again}").json()["run"]
    assert (shown["replay_of"], shown["started_by"]) == (run_id, "replay")
    assert kind(api.signed("POST", f"/api/runs/{'0' * 32}/replay", {})) == "run-unknown"


def test_many_are_done_again_by_a_filter_once(api: CloudApi) -> None:
    one, two, three = start(api, 3)
    set_state(api, State.FAILED, one, two)
    set_state(api, State.SUCCEEDED, three)
    asked = {"job": "note", "state": "failed"}
    assert len(post(api, "/api/replay", asked)["run_ids"]) == 2
    assert post(api, "/api/replay", asked) == {"run_ids": [], "left_out": 0}


def test_a_run_is_cancelled(api: CloudApi) -> None:
    (run_id,) = start(api)
    for _ in range(2):
        assert post(api, f"/api/runs/{run_id}/cancel") == {"run_id": run_id, "state": "cancelled"}
    assert kind(api.signed("POST", f"/api/runs/{'0' * 32}/cancel")) == "run-unknown"


def test_a_queue_is_paused_and_goes_on(api: CloudApi) -> None:
    def states(told: Any) -> dict[str, bool]:
        return {one["queue"]: one["paused"] for one in told}

    told = post(api, "/api/pause", {"queue": "notices", "reason": "the provider is changed"})
    assert states(told) == {
        "intake": False,
        "watch": False,
        "notices": True,
        "reports": False,
        "upkeep": False,
    }
    (paused,) = [one for one in told if one["paused"]]
    assert (paused["by"], paused["reason"]) == ("mac", "the provider is changed")
    (run_id,) = start(api)
    assert listed(api, "?state=paused") == [run_id]
    assert not any(states(post(api, "/api/resume", {"queue": "all"})).values())
    assert listed(api, "?state=queued") == [run_id]
    assert sum(states(post(api, "/api/pause", {"queue": "all", "reason": "night"})).values()) == 4
    for body in (
        {"queue": "upkeep", "reason": "x"},
        {"queue": "all"},
        {"queue": "all", "reason": " "},
    ):
        assert kind(api.signed("POST", "/api/pause", body)) == "invalid-request"


def test_who_only_reads_changes_nothing(api: CloudApi) -> None:
    assert api.signed("GET", "/api/runs", by=READER).status_code == 200
    for path in ("pause", "resume", "replay", f"runs/{'0' * 32}/cancel"):
        assert kind(api.signed("POST", f"/api/{path}", {}, by=READER)) == "scope-missing"


def test_what_was_changed_is_in_the_audit_and_nothing_of_a_guest(api: CloudApi) -> None:
    (run_id,) = start(api)
    post(api, "/api/pause", {"queue": "watch", "reason": "storm"})
    post(api, f"/api/runs/{run_id}/cancel")
    with api.store.reading() as session:
        found = audit.entries(session, datetime(2020, 1, 1, tzinfo=UTC))
    told = [(one.actor, one.action, one.target) for one in found]
    assert ("mac", "queue.paused", "watch") in told
    assert ("mac", "run.cancelled", run_id) in told
    assert ("mac", "request.post", "/api/runs/{run_id}/cancel") in told
    assert {one.address for one in found} == {"127.0.0.0/24"}


def test_stats_are_by_day_and_job(api: CloudApi) -> None:
    one, _, _ = start(api, 3)
    set_state(api, State.FAILED, one)
    stats = api.signed("GET", "/api/stats").json()
    (day,) = stats["days"]
    assert (day["job"], day["runs"], day["states"]) == (
        "note",
        3,
        {"failed": 1, "queued": 2},
    )
    assert stats["currency"] == "EUR"
    assert api.signed("GET", "/api/stats?until=0001-01-02").json()["days"] == []
    assert kind(api.signed("GET", "/api/stats?since=1")) == "invalid-request"


def test_schedules_say_what_starts_each_job(api: CloudApi) -> None:
    told = api.signed("GET", "/api/schedules").json()
    by_job = {one["job"]: one for one in told["schedules"]}
    assert by_job["note"]["on"] == ["translation.wanted"]
    clocked = [one for one in by_job.values() if one["cron"] or one["every_seconds"]]
    assert clocked
    assert all(one["next_tick"] for one in clocked)

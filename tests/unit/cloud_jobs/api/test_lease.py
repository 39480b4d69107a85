"""``/api/lease``: who may ask, what they hear, and that no limit and no Redis stand in the way."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.lease import PATH
from cloud_jobs.exchange import audit
from tests.support.cloud_api import NODE, READER, STANDBY, TOOL, CloudApi, kind
from tests.support.processes import free_port
from tests.unit.cloud_jobs.api.conftest import MakeApi
from tests.unit.cloud_jobs.api.test_health import samples

REPORT = {"role": "standby", "term": 0, "version": "0"}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def question(wish: str, term: int = 0, **more: Any) -> dict[str, Any]:
    return {"wish": wish, "term": term, "report": REPORT, **more}


def ask(api: CloudApi, by: str, wish: str, term: int = 0, **more: Any) -> dict[str, Any]:
    answer = api.signed("POST", PATH, question(wish, term, **more), by=by)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def lead(api: CloudApi) -> None:
    """The Mac leads; the VPS was heard."""
    ask(api, STANDBY, "report")
    assert ask(api, NODE, "acquire")["held"]


def test_who_asks_is_who_signs(make_api: MakeApi) -> None:
    api = make_api()
    lead(api)
    answer = ask(api, STANDBY, "acquire", 1)
    assert (answer["held"], answer["holder"], answer["term"]) == (False, NODE, 1)
    assert 0 < answer["free_in"] <= answer["ttl"] == 30
    assert set(answer["nodes"]) == {NODE, STANDBY}
    assert answer["nodes"][NODE]["report"]["role"] == "standby"


def test_without_the_scope_nobody_asks_or_sees(api: CloudApi) -> None:
    for by in (TOOL, READER):
        assert kind(api.signed("POST", PATH, question("force"), by=by)) == "scope-missing"
        assert kind(api.signed("GET", PATH, by=by)) == "scope-missing"


@pytest.mark.parametrize("to", [None, NODE, READER, "nobody"])
def test_it_is_given_to_the_other_node_alone(make_api: MakeApi, to: str | None) -> None:
    api = make_api()
    lead(api)
    refused = api.signed("POST", PATH, question("give", 1, to=to))
    assert (refused.status_code, kind(refused)) == (409, "not-another-node")
    assert ask(api, NODE, "give", 1, to=STANDBY)["holder"] == STANDBY


@pytest.mark.parametrize(
    "wrong", [{"term": 2**52}, {"term": -1}, {"wish": "steal"}, {"more": 1}, {"report": {}}]
)
def test_what_is_no_question_changes_nothing(api: CloudApi, wrong: dict[str, Any]) -> None:
    answer = api.signed("POST", PATH, {**question("force"), **wrong})
    assert (answer.status_code, kind(answer)) == (422, "invalid-request")
    assert api.signed("GET", PATH).json()["holder"] is None


def test_the_highest_term_that_can_be_named_has_a_next_one(make_api: MakeApi) -> None:
    api = make_api()
    assert ask(api, NODE, "force", 2**52 - 1)["term"] == 2**52


def test_people_see_who_leads_since_when_and_how_the_nodes_are(make_api: MakeApi) -> None:
    api = make_api()
    seen = api.signed("GET", PATH).json()
    assert (seen["holder"], seen["term"], seen["since"], seen["nodes"]) == (None, 0, None, {})
    lead(api)
    seen = api.signed("GET", PATH).json()
    assert (seen["holder"], seen["term"], seen["begun"]) == (NODE, 1, 0)
    assert 0 < seen["free_in"] <= 30
    assert datetime.fromisoformat(seen["since"]).tzinfo is not None
    assert set(seen["nodes"]) == {NODE, STANDBY}


def test_the_nodes_count_for_no_limit_and_everything_else_does(make_api: MakeApi) -> None:
    api = make_api(requests_per_minute=3)
    lead(api)
    for _ in range(10):
        assert ask(api, NODE, "hold", 1)["held"]
    asked = [api.signed("GET", "/api/runs").status_code for _ in range(4)]
    assert asked == [200, 200, 200, 429]
    assert ask(api, NODE, "hold", 1)["held"]
    # Who may not ask at all is limited here as elsewhere.
    refused = [api.signed("POST", PATH, question("hold"), by=TOOL) for _ in range(4)]
    assert [kind(one) for one in refused] == ["scope-missing"] * 3 + ["too-many-requests"]


def test_only_changes_of_the_term_are_in_the_audit(make_api: MakeApi) -> None:
    api = make_api()
    lead(api)
    ask(api, NODE, "hold", 1)
    api.signed("POST", PATH, question("hold"), by=TOOL)
    with api.store.reading() as session:
        entries = audit.entries(session, LONG_AGO)
    found = [(one.actor, one.action, one.target, one.outcome) for one in entries]
    assert found == [
        (NODE, "lease.acquire", "term 1 of mac", "ok"),
        (TOOL, "request.post", PATH, "scope-missing"),
    ]


@pytest.mark.thorough
def test_while_redis_is_away_the_lease_is_kept(make_api: MakeApi) -> None:
    api = make_api(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    lead(api)
    assert ask(api, NODE, "hold", 1)["held"]


def test_prometheus_reads_who_leads(make_api: MakeApi) -> None:
    api = make_api()
    before = samples(api)
    assert not any("lease" in name for name, *_ in before)
    lead(api)
    found = samples(api)
    assert found["portiere_cloud_lease_holder", NODE] == 1
    assert found["portiere_cloud_lease_term",] == 1
    assert 0 < found["portiere_cloud_lease_free_seconds",] <= 30
    assert 0 <= found["portiere_cloud_node_seconds", STANDBY] < 60


def test_another_method_is_told_both_that_there_are(api: CloudApi) -> None:
    refused = api.signed("DELETE", PATH)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
    assert refused.json()["detail"] == "Use GET, POST here."

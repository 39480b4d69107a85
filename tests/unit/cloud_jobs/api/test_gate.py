"""The gate before the cloud's API, over its own store: the same rules as the desk's."""

from datetime import UTC, datetime

import pytest

from app.signing import Asked, sign
from cloud_jobs.exchange import audit
from tests.support.cloud_api import KEYS, NODE, READER, CloudApi, kind
from tests.support.processes import free_port
from tests.unit.cloud_jobs.api.conftest import MakeApi

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_nothing_is_had_unsigned_but_health(api: CloudApi) -> None:
    for method, path in (("GET", "/api/runs"), ("POST", "/api/events"), ("GET", "/metrics")):
        assert kind(api.ask(method, path)) == "signature-missing"
    assert api.ask("GET", "/health").status_code == 200
    assert api.ask("GET", "/ready").status_code == 200


def test_a_nonce_is_good_once(api: CloudApi) -> None:
    headers = sign(Asked("GET", "/api/runs", b""), NODE, KEYS[NODE])
    assert api.ask("GET", "/api/runs", headers=headers).status_code == 200
    again = api.ask("GET", "/api/runs", headers=headers)
    assert (again.status_code, kind(again)) == (401, "nonce-used")


def test_who_may_not_is_in_the_audit_and_who_only_reads_is_not(api: CloudApi) -> None:
    api.signed("POST", "/api/pause", {"queue": "all", "reason": "x"}, by=READER)
    api.signed("GET", "/api/runs", by=READER)
    with api.store.reading() as session:
        (entry,) = audit.entries(session, LONG_AGO)
        assert audit.entries(session, LONG_AGO, actor=NODE) == []
    assert (entry.actor, entry.outcome, entry.target) == (READER, "scope-missing", "/api/pause")
    assert (entry.action, entry.address) == ("request.post", "127.0.0.0/24")


@pytest.mark.thorough
def test_while_redis_is_away_the_api_is_closed_and_says_so(make_api: MakeApi) -> None:
    api = make_api(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert kind(api.signed("GET", "/api/runs")) == "limits-unavailable"
    health = api.ask("GET", "/health")
    assert (health.status_code, health.json()["parts"]["redis"]["ok"]) == (503, False)
    assert health.json()["parts"]["store"]["ok"]
    assert api.ask("GET", "/ready").status_code == 503

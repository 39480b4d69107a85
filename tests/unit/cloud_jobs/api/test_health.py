"""What watchers are told: how it is, what waits, what Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.cloud_api import GUEST, READER, CloudApi, event
from tests.unit.cloud_jobs.api.conftest import MakeApi


def samples(api: CloudApi) -> dict[tuple[str, ...], float]:
    """What Prometheus reads: name and values of labels."""
    answer = api.signed("GET", "/metrics", by=READER)
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_waits_is_told(api: CloudApi) -> None:
    api.signed("POST", "/api/pause", {"queue": "watch", "reason": "storm"})
    api.tell(event("translation.wanted", {"text": "Domani manca l'acqua."}, guest=GUEST))
    api.issue("one")
    ready = api.ask("GET", "/ready").json()
    assert (ready["ready"], ready["paused"]) == (True, ["watch"])
    assert ready["backlog"]["runs"] == 1
    assert ready["backlog"]["oldest_command_seconds"] > 0


def test_prometheus_reads_what_is_there(make_api: MakeApi) -> None:
    api = make_api()
    before = samples(api)
    assert ("portiere_cloud_told_seconds",) not in before
    assert ("portiere_cloud_asked_seconds",) not in before
    api.signed("POST", "/api/pause", {"queue": "watch", "reason": "storm"})
    api.tell(event("translation.wanted", {"text": "Domani manca l'acqua."}, guest=GUEST))
    api.issue("one")
    api.signed("GET", "/api/commands")
    found = samples(api)
    assert found["portiere_cloud_runs", "note", "queued"] == 1
    assert found["portiere_cloud_paused", "watch"] == 1
    assert found["portiere_cloud_paused", "notices"] == 0
    assert found["portiere_cloud_commands",] == 1
    assert found["portiere_cloud_command_seconds",] > 0
    assert found["portiere_cloud_up", "store"] == found["portiere_cloud_up", "redis"] == 1
    assert 0 <= found["portiere_cloud_told_seconds",] < 60
    assert 0 <= found["portiere_cloud_asked_seconds",] < 60
    assert found["portiere_http_requests_total", "POST", "/api/events", "200"] >= 1


def test_nothing_of_a_guest_is_in_the_metrics(api: CloudApi) -> None:
    api.tell(event("translation.wanted", {"text": "Domani manca l'acqua."}, guest=GUEST))
    text = api.signed("GET", "/metrics", by=READER).text
    assert GUEST not in text

"""The gauges of leading and standing by: from what acts, from the view while it is fresh."""

import base64
import re
from pathlib import Path

import pytest

from app import steady
from app.ha import figures, paused
from app.ha import view as views
from app.ha.figures import ha_metrics
from app.ha.journal import Journal
from app.leading import Role, Standing, keep
from app.settings import Settings
from tests.support.ha_views import of_leader, of_standby

KEY = base64.b64encode(b"k" * 32).decode()


def settings(directory: Path, **given: object) -> Settings:
    return Settings.model_validate(
        {
            "database": directory / "p.db",
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            **given,
        }
    )


@pytest.fixture
def of_two(tmp_path: Path) -> Settings:
    return settings(
        tmp_path,
        ha_authority="http://127.0.0.1:9",
        ha_peer="vps",
        ha_peer_urls="http://127.0.0.1:9",
        ha_key=KEY,
        cloud_url="http://127.0.0.1:9",
        cloud_key=KEY,
        ha_replica="file:///nowhere",
        ha_redis_admin_url="redis://127.0.0.1:9",
        ha_redis_peer="127.0.0.1:9",
    )


def values(found: Settings) -> dict[str, float]:
    return {
        " ".join((sample.name.removeprefix("portiere_ha_"), *sample.labels.values())): sample.value
        for metric in ha_metrics(found)
        for sample in metric.samples
    }


def lead(found: Settings, standing: Standing) -> None:
    keep(found.ha_directory / "standing.json", standing)


def test_alone_there_are_none(tmp_path: Path) -> None:
    assert not list(ha_metrics(settings(tmp_path)))


def test_before_a_node_ran_nobody_leads(of_two: Settings) -> None:
    assert values(of_two) == {"leader": 0, "term": 0, "node_up": 0, "paused": 0}


def test_a_leader_and_its_standby_are_in_numbers(of_two: Settings) -> None:
    lead(of_two, Standing(Role.LEADER, 7, "mac", steady.now() + 1000))
    views.write(of_two.ha_directory, of_leader(spooled=2, alone=5))
    found = values(of_two)
    assert 900 < found.pop("lease_seconds_left") <= 1000
    assert found == {
        "leader": 1,
        "term": 7,
        "node_up": 1,
        "paused": 0,
        "authority_up": 1,
        "peer_up": 1,
        "spooled": 2,
        "alone": 5,
        "copy_lag_seconds": 0.3,
        "copy_lag_transactions": 2,
    }


def test_a_lapsed_lease_leads_no_more(of_two: Settings) -> None:
    lead(of_two, Standing(Role.LEADER, 7, "mac", steady.now() - 1))
    found = values(of_two)
    assert (found["leader"], found["lease_seconds_left"]) == (0, 0)


def test_an_old_view_gives_no_numbers(of_two: Settings) -> None:
    lead(of_two, Standing(Role.STANDBY, 7, "mac"))
    old = of_standby(steady_at=steady.now() - 900)
    views.write(of_two.ha_directory, old)
    assert values(of_two) == {"leader": 0, "term": 7, "node_up": 0, "paused": 0}


def test_a_pause_is_a_number(of_two: Settings) -> None:
    paused.pause(of_two.ha_directory, "anna", "x")
    assert values(of_two)["paused"] == 1


def test_the_last_takeover_is_told_by_its_steps(of_two: Settings) -> None:
    journal = Journal(of_two.ha_directory / "journal.jsonl")
    for procedure, name in (("takeover", "old"), ("takeover", "restore"), ("rejoin", "follow")):
        with journal.run(procedure, 7).step(1, name):
            pass
    steps = {name for name in values(of_two) if name.startswith("last_takeover")}
    assert steps == {"last_takeover_seconds restore"}


def test_every_gauge_stands_in_the_docs_and_no_other(of_two: Settings) -> None:
    lead(of_two, Standing(Role.LEADER, 7, "mac", steady.now() + 1000))
    views.write(of_two.ha_directory, of_leader())
    with Journal(of_two.ha_directory / "journal.jsonl").run("takeover", 7).step(1, "restore"):
        pass
    docs = (Path(figures.__file__).parents[2] / "docs/metrics.md").read_text()
    documented = set(re.findall(r"^\| `(portiere_ha_\w+)`", docs, re.MULTILINE))
    assert {metric.name for metric in ha_metrics(of_two)} == documented

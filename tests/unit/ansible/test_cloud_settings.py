"""What the role `cloud` makes of an inventory, as the programs read it."""

from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader

from cloud_jobs.settings import CloudSettings

from .inventory import rendered


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """Let Ansible find its own lookups and filters."""
    init_plugin_loader()


def environment(**given: Any) -> dict[str, str]:
    found = rendered("vps", "cloud", expression="cloud_environment", **given)
    return {name: str(value) for name, value in found.items()}


def settings(monkeypatch: pytest.MonkeyPatch, **given: Any) -> CloudSettings:
    for name, value in environment(**given).items():
        monkeypatch.setenv(name, value)
    return CloudSettings()


@pytest.mark.thorough
def test_the_rehearsals_inventory_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch)
    assert found.store_url.get_secret_value() == "sqlite:////var/lib/portiere/cloud.db"
    assert (found.imap_host, found.imap_port) == ("mail.example.invalid", 143)
    assert str(found.desk_url) == "http://10.86.0.2:8080/"
    assert found.nodes == {"mac", "vps"}
    for node in found.nodes:
        assert {*found.clients[node].scopes} >= {"lease", "commands", "events"}
    assert found.time_zone == "Europe/Rome"
    assert str(found.check_in_until) == "22:00:00"


@pytest.mark.thorough
def test_secrets_of_sources_that_are_not_used_stay_in_the_vault() -> None:
    found = environment(portiere_sources={"imap": {}, "smoobu": {}})
    assert not [name for name in found if "IMAP" in name or "SMOOBU" in name]
    secrets = ("rehearsal-smoobu", "rehearsal-imap", "rehearsal-aeroapi", "rehearsal-openweather")
    assert not [value for value in found.values() if value.startswith(secrets)]


def test_a_store_and_a_queue_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    store, queue = "postgresql+psycopg://u:p@db.example.invalid/cloud", "rediss://q.example.invalid"
    found = settings(monkeypatch, portiere_cloud_store_url=store, portiere_cloud_redis_url=queue)
    assert found.store_url.get_secret_value() == store
    assert found.redis_url.get_secret_value() == queue


@pytest.mark.parametrize(
    ("group", "services"),
    [("vps_hosts", ["redis", "serve"]), ("workers", ["worker"])],
)
def test_a_host_of_the_workers_has_the_worker_alone(group: str, services: list[str]) -> None:
    found = rendered("vps", "cloud", expression="cloud_services", group_names=[group])
    assert found == services
    expression = "cloud_secret_files | map(attribute='name')"
    files = rendered("vps", "cloud", expression=expression, group_names=[group])
    assert ("cloud-redis.conf" in files) == (group == "vps_hosts")

"""What the roles of both hosts make of an inventory, as the desk's program reads it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader

from app.messages.alerts import Channel, configured
from app.settings import Settings

from .inventory import GROUPS, HOST_KEY, rendered

ROLES = {"mac": "desk", "vps": "stack"}
# What a host must have of its own; all else is told to both alike.
OWN = {
    *("NODE_NAME", "CLOUD_KEY", "PEERS", "GATEWAY_BIND", "GATEWAY_WORKERS", "TUNNEL_PEERS"),
    *("DATABASE", "REDIS_URL", "PROPERTY_FILE", "TEMPLATES", "LOG_DIR"),
    *("HA_AUTHORITY", "HA_PEER", "HA_PEER_URLS", "HA_PREFERRED", "HA_REDIS_PEER"),
    *("HA_REPLICA", "HA_REPLICA_KEY", "HA_REPLICA_HOST_KEY", "HA_REDIS_ADMIN_URL"),
    *("BACKUP_REPOSITORIES", "BACKUP_SSH", "BACKUP_KEEPS"),
    *("BACKUP_CONFIGURATION", "BACKUP_CLOUD_SNAPSHOT"),
}


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """Let Ansible find its own lookups and filters."""
    init_plugin_loader()


@pytest.fixture(params=sorted(GROUPS))
def host(request: pytest.FixtureRequest) -> str:
    """Each host in turn."""
    return str(request.param)


def environment(host: str, **given: Any) -> dict[str, str]:
    """The variables that its program gets from the rehearsal's inventory with ``given``."""
    role = ROLES[host]
    found = rendered(host, "desk_settings", role, expression=f"{role}_environment", **given)
    return {name: str(value) for name, value in found.items()}


def settings(monkeypatch: pytest.MonkeyPatch, host: str, **given: Any) -> Settings:
    with monkeypatch.context() as alone:
        for name, value in environment(host, **given).items():
            alone.setenv(name, value)
        return Settings()


def test_an_inventory_without_alerts_is_good(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    found = settings(monkeypatch, host)
    assert configured(found) == ()
    places = {"mac": "/opt/portiere/etc/templates", "vps": "/etc/portiere/templates"}
    assert found.templates == Path(places[host])


def test_alerts_go_where_the_inventory_says(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    found = settings(
        monkeypatch,
        host,
        portiere_alert_phones=["+39 000 0000001", "+390000000002"],
        portiere_alert_emails=["desk@example.invalid", "night@example.invalid"],
        portiere_alert_slack=True,
        portiere_mail={
            "host": "mail.example.invalid",
            "port": 465,
            "security": "tls",
            "user": "desk",
            "from": "portiere@example.invalid",
        },
    )
    assert configured(found) == (Channel.WHATSAPP, Channel.SLACK, Channel.EMAIL)
    assert found.alert_whatsapp == ["+390000000001", "+390000000002"]
    assert found.alert_email_to == ["desk@example.invalid", "night@example.invalid"]
    assert (found.mail_host, found.mail_port, found.mail_security) == (
        "mail.example.invalid",
        465,
        "tls",
    )
    assert found.mail_password.get_secret_value() == "rehearsal-mail-password"


def test_secrets_of_ways_that_are_not_used_stay_in_the_vault(host: str) -> None:
    found = environment(host)
    assert found["PORTIERE_ALERT_SLACK_URL"] == found["PORTIERE_MAIL_PASSWORD"] == ""
    assert found["PORTIERE_LLM_API_KEY"] == ""


def test_a_language_model_is_asked_where_the_inventory_says(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    assert settings(monkeypatch, host).llm_base_url is None
    model = {"base_url": "http://127.0.0.1:11434/v1", "model": "invented:8b"}
    found = settings(monkeypatch, host, portiere_llm=model)
    assert (str(found.llm_base_url), found.llm_model) == (model["base_url"], model["model"])
    assert (found.llm_timeout, found.llm_api_key.get_secret_value()) == (timedelta(seconds=3), "")
    found = settings(monkeypatch, host, portiere_llm=model | {"key": True, "timeout": 1.5})
    assert found.llm_timeout == timedelta(seconds=1.5)
    assert found.llm_api_key.get_secret_value() == "rehearsal-llm-key"


def test_the_cloud_and_the_peers_are_as_the_inventory_says(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    found = settings(monkeypatch, host)
    assert str(found.cloud_url) == "http://10.86.0.1:8081/"
    assert list(found.clients) == ["cloud"]
    assert [peer.name for peer in found.peer_addresses] == [*(GROUPS.keys() - {host})]
    key = "cmVoZWFyc2FsLWFwaS1jbGllbnQta2V5LTMyLWJ5dGU="
    found = settings(
        monkeypatch,
        host,
        desk_settings_cloud_url="https://cloud.example.invalid",
        portiere_api_clients={"cloud": {"keys": [key], "scopes": ["commands", "events"]}},
    )
    assert str(found.cloud_url) == "https://cloud.example.invalid/"
    assert found.clients["cloud"].scopes == {"commands", "events"}


def test_each_is_the_others_other_node(monkeypatch: pytest.MonkeyPatch) -> None:
    mac, vps = (settings(monkeypatch, host) for host in ("mac", "vps"))
    assert (mac.node_name, mac.ha_peer) == (vps.ha_peer, vps.node_name) == ("mac", "vps")
    assert (mac.ha_preferred, vps.ha_preferred) == (True, False)
    assert mac.ha_key_bytes == vps.ha_key_bytes
    assert mac.cloud_key_bytes != vps.cloud_key_bytes
    # Over the link first; without it the Mac finds the VPS by its public name.
    assert mac.authority_urls == ("http://10.86.0.1:8081", "http://vps.example.invalid")
    assert mac.peer_urls == ("http://10.86.0.1:8080", "http://vps.example.invalid")
    assert vps.authority_urls == ("http://10.86.0.1:8081",)
    assert vps.peer_urls == ("http://10.86.0.2:8080",)
    assert (mac.ha_redis_peer, vps.ha_redis_peer) == ("10.86.0.1:6379", "10.86.0.2:6379")


def test_both_mean_the_same_directory_by_the_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    mac, vps = (settings(monkeypatch, host) for host in ("mac", "vps"))
    root = rendered("vps", "replica", expression="replica_root")
    assert mac.ha_replica == "sftp://portiere-replica@10.86.0.1:22/litestream"
    assert vps.ha_replica == f"file://{root}/litestream"
    assert rendered("vps", "replica", expression="replica_directory") == f"{root}/litestream"
    assert mac.ha_replica_key == Path("/opt/portiere/etc/replica.key")
    assert mac.ha_replica_host_key == HOST_KEY


def test_whoever_leads_answers_alike() -> None:
    mac, vps = environment("mac"), environment("vps")
    names = (mac.keys() | vps.keys()) - {f"PORTIERE_{name}" for name in OWN}
    assert len(names) > 20
    assert [name for name in names if mac.get(name) != vps.get(name)] == []


def test_a_host_may_have_settings_of_its_own() -> None:
    both = {"PORTIERE_QUIET_FROM": "21:00", "PORTIERE_QUIET_UNTIL": "07:00"}
    own = {"PORTIERE_QUIET_UNTIL": "09:00"}
    found = environment("vps", portiere_extra_environment=both, stack_extra_environment=own)
    assert both.items() & found.items() == {("PORTIERE_QUIET_FROM", "21:00")}
    assert own.items() <= found.items()


def test_a_hosts_own_templates_are_found(tmp_path: Path) -> None:
    for name in ("welcome.yml", "wether.yaml", "notes.txt"):
        (tmp_path / name).touch()
    for folder, names in ((str(tmp_path), {"welcome.yml", "wether.yaml"}), ("", set())):
        found = rendered(
            "mac",
            "desk_settings",
            expression="desk_settings_own_templates",
            desk_settings_templates=folder,
        )
        assert {Path(path).name for path in found} == names


def test_a_template_that_changed_is_told_apart(tmp_path: Path) -> None:
    def digest() -> str:
        return str(
            rendered(
                "vps",
                "desk_settings",
                expression="desk_settings_templates_digest",
                desk_settings_templates=str(tmp_path),
            )
        )

    seen = {digest()}
    (tmp_path / "welcome.yml").write_text("a")
    seen.add(digest())
    (tmp_path / "welcome.yml").write_text("b")
    seen.add(digest())
    assert len(seen) == 3

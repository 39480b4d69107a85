"""What the role `desk` makes of an inventory, as the program reads it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

from app.messages.alerts import Channel, configured
from app.settings import Settings

from .conftest import PROJECT

ROLE = PROJECT / "roles/desk"
INVENTORY = PROJECT / "inventories/rehearsal"


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """Let Ansible find its own lookups and filters."""
    init_plugin_loader()


def trusted(value: Any) -> Any:
    """As Ansible takes what it reads from a role's or an inventory's files."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(inner) for key, inner in value.items()}
    return [trusted(inner) for inner in value] if isinstance(value, list) else value


def environment(**given: Any) -> dict[str, str]:
    """The variables that the program would get from the rehearsal's inventory with ``given``."""
    variables: dict[str, Any] = {"inventory_hostname": "mac", "inventory_dir": str(INVENTORY)}
    files = (
        ROLE / "defaults/main.yml",
        ROLE / "vars/main.yml",
        *sorted((INVENTORY / "group_vars/all").glob("*.yml")),
    )
    for file in files:
        variables |= trusted(yaml.safe_load(file.read_text()))
    templar = Templar(loader=DataLoader(), variables={**variables, **given})
    found = templar.template(trust_as_template("{{ desk_environment }}"))
    return {name: str(value) for name, value in found.items()}


def settings(monkeypatch: pytest.MonkeyPatch, **given: Any) -> Settings:
    for name, value in environment(**given).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_an_inventory_without_alerts_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch)
    assert configured(found) == ()
    assert found.templates == Path("/opt/portiere/etc/templates")


def test_alerts_go_where_the_inventory_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
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


def test_secrets_of_ways_that_are_not_used_stay_in_the_vault() -> None:
    found = environment()
    assert found["PORTIERE_ALERT_SLACK_URL"] == found["PORTIERE_MAIL_PASSWORD"] == ""
    assert found["PORTIERE_LLM_API_KEY"] == ""


def test_a_language_model_is_asked_where_the_inventory_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(monkeypatch).llm_base_url is None
    model = {"base_url": "http://127.0.0.1:11434/v1", "model": "invented:8b"}
    found = settings(monkeypatch, portiere_llm=model)
    assert (str(found.llm_base_url), found.llm_model) == (model["base_url"], model["model"])
    assert (found.llm_timeout, found.llm_api_key.get_secret_value()) == (timedelta(seconds=3), "")
    found = settings(monkeypatch, portiere_llm=model | {"key": True, "timeout": 1.5})
    assert found.llm_timeout == timedelta(seconds=1.5)
    assert found.llm_api_key.get_secret_value() == "rehearsal-llm-key"


def test_the_cloud_and_the_peers_are_as_the_inventory_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch)
    assert (found.cloud_url, found.clients) == (None, {})
    assert [peer.name for peer in found.peer_addresses] == ["vps"]
    key = "cmVoZWFyc2FsLWFwaS1jbGllbnQta2V5LTMyLWJ5dGU="
    found = settings(
        monkeypatch,
        portiere_cloud_url="https://cloud.example.invalid",
        portiere_api_clients={"cloud": {"keys": [key], "scopes": ["commands", "events"]}},
    )
    assert str(found.cloud_url) == "https://cloud.example.invalid/"
    assert found.cloud_key_bytes == b"rehearsal-cloud-key-32-bytes-in-"
    assert found.clients["cloud"].scopes == {"commands", "events"}


def test_a_hosts_own_templates_are_found(tmp_path: Path) -> None:
    for name in ("welcome.yml", "wether.yaml", "notes.txt"):
        (tmp_path / name).touch()
    variables = trusted(yaml.safe_load((ROLE / "vars/main.yml").read_text()))
    for folder, names in ((str(tmp_path), {"welcome.yml", "wether.yaml"}), ("", set())):
        templar = Templar(loader=DataLoader(), variables={**variables, "desk_templates": folder})
        found = templar.template(trust_as_template("{{ desk_own_templates }}"))
        assert {Path(path).name for path in found} == names

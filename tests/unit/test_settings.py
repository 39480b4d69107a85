"""Settings: what is missing or wrong is named, and never shown."""

import base64
import re
import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from app import settings
from app.settings import SettingsError

KEY = base64.b64encode(b"k" * 32).decode()
GOOD = {
    "PORTIERE_SPOKI_API_KEY": "invented-key",
    "PORTIERE_SPOKI_WEBHOOK_SECRET": "invented-secret",
    "PORTIERE_SEAL_KEYS": f"k1:{KEY}",
    "PORTIERE_INDEX_KEY": KEY,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_four_secrets_are_enough() -> None:
    found = settings.load()
    assert not found.ha_authority
    assert found.bind_addresses == [("127.0.0.1", 8080)]


def test_the_file_that_is_named_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    file = tmp_path / "portiere.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in GOOD.items()))
    monkeypatch.setenv("PORTIERE_ENV_FILE", str(file))
    assert settings.load().spoki_api_key.get_secret_value() == "invented-key"


def test_a_file_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTIERE_ENV_FILE", "/nowhere/portiere.env")
    with pytest.raises(SettingsError, match=r"/nowhere/portiere\.env"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("PORTIERE_SPOKI_API_KEY", "CHANGE-ME", "placeholder"),
        ("PORTIERE_SPOKI_API_KEY", " ", "placeholder"),
        ("PORTIERE_SEAL_KEYS", KEY, "id:base64"),
        ("PORTIERE_SEAL_KEYS", "k1:short", "base64"),
        ("PORTIERE_SEAL_KEYS", f"k1:{base64.b64encode(b'x').decode()}", "32 bytes"),
        ("PORTIERE_SEAL_KEYS", f"ключ:{KEY}", "letters and digits"),
        ("PORTIERE_SEAL_KEYS", f"{'k' * 33}:{KEY}", "letters and digits"),
        ("PORTIERE_SEAL_KEYS", f"k1:{KEY},k1:{KEY}", "two keys of the id k1"),
        ("PORTIERE_INDEX_KEY", "%%%", "base64"),
        ("PORTIERE_INDEX_KEY", "ключ", "PORTIERE_INDEX_KEY is not base64"),
        ("PORTIERE_HA_WHEN_AUTHORITY_UNREACHABLE", "panic", "stay"),
        ("PORTIERE_HA_AUTHORITY", "http://10.86.0.1:8081", "PORTIERE_HA_PEER"),
        ("PORTIERE_HA_WITNESS_BUCKET", "of-the-desk", "PORTIERE_HA_WITNESS_SECRET"),
        ("PORTIERE_GATEWAY_BIND", "8080", "host:port"),
        ("PORTIERE_GATEWAY_BIND", "127.0.0.1:99999", "host:port"),
        ("PORTIERE_LOG_LEVEL", "LOUD", "DEBUG"),
        ("PORTIERE_PEERS", "vps", "name=link:http://host:port"),
        ("PORTIERE_PEERS", "vps=link:10.86.0.1:8080", "name=link:http://host:port"),
        ("PORTIERE_PEERS", "vps=wire:http://10.86.0.1", "name=link:http://host:port"),
        ("PORTIERE_PEERS", "vps=link:http://a,vps=link:http://b", "twice"),
        ("PORTIERE_WORKER_THREADS", "0", "greater"),
        ("PORTIERE_LLM_BASE_URL", "http://127.0.0.1:11434/v1", "PORTIERE_LLM_MODEL"),
        ("PORTIERE_LLM_BASE_URL", "127.0.0.1", "URL"),
        ("PORTIERE_LLM_API_KEY", "CHANGE-ME", "placeholder"),
        ("PORTIERE_LLM_TIMEOUT", "0", "greater"),
        ("PORTIERE_LLM_TIMEOUT", "31", "less"),
    ],
)
def test_what_is_wrong_is_named(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(why)):
        settings.load()


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTIERE_SEAL_KEYS", "k1:this-is-nearly-the-key")
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert "nearly" not in str(caught.value)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTIERE_INDEX_KEY")
    with pytest.raises(SettingsError, match="PORTIERE_INDEX_KEY: is not set"):
        settings.load()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "invented" not in repr(settings.load())
    assert KEY not in repr(settings.load())


@pytest.mark.parametrize(
    ("given", "expected"), [("20", 20), ("0.5", 0.5), ("PT90S", 90), ("PT2M", 120)]
)
def test_durations_are_seconds_or_iso(
    given: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTIERE_SEND_ECHO_WAIT", given)
    assert settings.load().send_echo_wait == timedelta(seconds=expected)


CLOUD = {
    "PORTIERE_PROVIDER": "whatsapp_cloud",
    "PORTIERE_WHATSAPP_ACCESS_TOKEN": "invented-token",
    "PORTIERE_WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
    "PORTIERE_WHATSAPP_APP_SECRET": "new-secret, old-secret",
    "PORTIERE_WHATSAPP_VERIFY_TOKEN": "invented-word",
}


@pytest.mark.parametrize("missing", [name for name in CLOUD if name != "PORTIERE_PROVIDER"])
@pytest.mark.parametrize("value", [None, "", "CHANGE-ME"])
def test_what_the_other_provider_needs_is_named(
    missing: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, given in CLOUD.items():
        monkeypatch.setenv(name, given)
    if value is None:
        monkeypatch.delenv(missing)
    else:
        monkeypatch.setenv(missing, value)
    with pytest.raises(SettingsError, match=missing):
        settings.load()


def test_each_provider_needs_only_its_own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().webhook_secrets == ("invented-secret",)
    monkeypatch.delenv("PORTIERE_SPOKI_API_KEY")
    with pytest.raises(SettingsError, match="spoki needs PORTIERE_SPOKI_API_KEY"):
        settings.load()
    monkeypatch.setenv("PORTIERE_SPOKI_WEBHOOK_SECRET", "CHANGE-ME")
    for name, given in CLOUD.items():
        monkeypatch.setenv(name, given)
    assert settings.load().webhook_secrets == ("new-secret", "old-secret")


def test_no_language_model_is_asked_unless_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings.load()
    assert (found.llm_base_url, found.llm_timeout) == (None, timedelta(seconds=3))
    monkeypatch.setenv("PORTIERE_LLM_BASE_URL", "")
    assert settings.load().llm_base_url is None


def test_two_webhook_secrets_while_one_is_rotated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTIERE_SPOKI_WEBHOOK_SECRET", "new, old")
    assert settings.load().webhook_secrets == ("new", "old")


def test_peers_are_named_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    written = "vps=link:http://10.86.0.1:8080, vps=public:https://desk.example.invalid/"
    monkeypatch.setenv("PORTIERE_PEERS", written)
    assert [(peer.name, peer.path, peer.url) for peer in settings.load().peer_addresses] == [
        ("vps", "link", "http://10.86.0.1:8080"),
        ("vps", "public", "https://desk.example.invalid"),
    ]


def test_the_page_of_settings_is_current() -> None:
    root = Path(__file__).parents[2]
    generated = runpy.run_path(str(root / "docs/generate_settings.py"))["page"]()
    assert (root / "docs/settings.md").read_text() == generated

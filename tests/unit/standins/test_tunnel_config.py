"""The stand-in for cloudflared is as strict about its files as the contract says."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.standins.tunnel import cli, config

CATCH_ALL = {"service": "http_status:404"}
DESK = {"hostname": "bot.example.invalid", "service": "http://127.0.0.1:8080"}
CREDENTIALS = {
    "AccountTag": "0" * 32,
    "TunnelSecret": "A" * 43 + "=",
    "TunnelID": "00000000-0000-4000-8000-00000000000a",
}


def _file(directory: Path, raw: Any) -> Path:
    path = directory / "config.yml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_validates_a_sound_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _file(tmp_path, {"tunnel": "x", "ingress": [DESK, CATCH_ALL]})
    assert cli.main(["tunnel", "--config", str(path), "ingress", "validate"]) == 0
    assert capsys.readouterr().out == f"Validating rules from {path}\nOK\n"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([DESK], "The last ingress rule must match all URLs"),
        ([CATCH_ALL | {"path": "/x"}], "The last ingress rule must match all URLs"),
        ([CATCH_ALL, CATCH_ALL], "Rule #1 is matching the hostname ''"),
        ([DESK | {"hostname": "bot.example.invalid:80"}, CATCH_ALL], "cannot contain a port"),
        ([DESK | {"hostname": "bot.*.invalid"}, CATCH_ALL], "at most one wildcard"),
        ([DESK | {"hostname": "*.*.invalid"}, CATCH_ALL], "at most one wildcard"),
        ([DESK | {"service": "http://127.0.0.1:8080/x"}, CATCH_ALL], "a different path"),
        ([DESK | {"service": "127.0.0.1:8080"}, CATCH_ALL], "a scheme and a hostname"),
        ([DESK | {"service": "http://"}, CATCH_ALL], "a scheme and a hostname"),
        ([{"service": "http_status:99"}], "invalid HTTP status code: 99"),
        ([{"service": "http_status:ok"}], "invalid HTTP status code: ok"),
        ([DESK | {"path": "("}, CATCH_ALL], "invalid regex"),
        ([], "doesn't contain any ingress rules"),
    ],
    ids=str,
)
def test_refuses_broken_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: list[Any], said: str
) -> None:
    path = _file(tmp_path, {"tunnel": "x", "ingress": rules})
    assert cli.main(["tunnel", "--config", str(path), "ingress", "validate"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "service",
    [
        "https://origin",
        "unix:/run/x.sock",
        "unix+tls:/run/x.sock",
        "hello_world",
        "bastion",
        "socks-proxy",
        "tcp://127.0.0.1:22",
        "http_status:999",
    ],
)
def test_knows_every_kind_of_service(service: str) -> None:
    assert config.rules([{"service": service}], {})[0].service == service


def test_unknown_keys_are_warned_of(tmp_path: Path) -> None:
    rule = CATCH_ALL | {"hostnmae": "x", "originRequest": {"noTlsVerify": True}}
    found = config.read(_file(tmp_path, {"tunel": "x", "ingress": [rule]}))
    assert found.warnings == [
        "unknown key: tunel",
        "unknown key in rule #1: hostnmae",
        "unknown key in rule #1: originRequest.noTlsVerify",
    ]


@pytest.mark.parametrize(
    ("hostname", "path", "number"),
    [
        ("bot.example.invalid", "/webhooks/spoki", 0),
        ("BOT.example.invalid:80", "/webhooks/spoki", 0),
        ("bot.example.invalid", "/other", 2),
        ("a.example.invalid", "/", 1),
        ("example.invalid", "/", 2),
    ],
)
def test_first_matching_rule(hostname: str, path: str, number: int) -> None:
    rules = config.rules(
        [
            DESK | {"path": "^/webhooks/"},
            {"hostname": "a.example.invalid", "service": "http://a"},
            CATCH_ALL,
        ],
        {},
    )
    found = config.route(rules, hostname, path)
    assert found is not None
    assert found[0] == number


def test_a_wildcard_matches_subdomains_only() -> None:
    rules = config.rules([{"hostname": "*.example.invalid", "service": "http://a"}, CATCH_ALL], {})
    places = [
        found[0]
        for name in ("a.example.invalid", "example.invalid", "axexample.invalid")
        if (found := config.route(rules, name, "/"))
    ]
    assert places == [0, 1, 1]


def _credentials(directory: Path, raw: object) -> Path:
    path = directory / "credentials.json"
    path.write_text(json.dumps(raw))
    return path


def test_reads_credentials_and_keeps_the_secret_out_of_repr(tmp_path: Path) -> None:
    found = config.credentials(_credentials(tmp_path, CREDENTIALS))
    assert found.tunnel_id == CREDENTIALS["TunnelID"]
    assert CREDENTIALS["TunnelSecret"] not in repr(found)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        [],
        CREDENTIALS | {"TunnelID": "my-tunnel"},
        CREDENTIALS | {"TunnelSecret": "c2hvcnQ="},
        CREDENTIALS | {"TunnelSecret": "no base64 at all"},
    ],
    ids=str,
)
def test_refuses_broken_credentials(tmp_path: Path, raw: object) -> None:
    with pytest.raises(config.ConfigError):
        config.credentials(_credentials(tmp_path, raw))


def test_run_refuses_foreign_credentials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _file(
        tmp_path,
        {
            "tunnel": "00000000-0000-4000-8000-00000000000b",
            "credentials-file": str(_credentials(tmp_path, CREDENTIALS)),
            "ingress": [CATCH_ALL],
        },
    )
    assert cli.main(["tunnel", "--config", str(path), "run"]) == 1
    assert "belongs to tunnel" in capsys.readouterr().err


def test_ready_needs_a_running_connector(capsys: pytest.CaptureFixture[str]) -> None:
    # Port 1 on loopback: nothing listens there.
    assert cli.main(["tunnel", "--metrics", "127.0.0.1:1", "ready"]) == 1
    assert "metrics server" in capsys.readouterr().err

"""Who may call is refused at start where it isn't right, and no key is shown."""

import base64
import json

import pytest
from pydantic import ValidationError

from app.settings_api import ApiSettings, Scope, read_clients

ONE, TWO, THREE = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))


def clients(**given: object) -> str:
    return json.dumps(given)


def test_a_client_has_one_key_or_two_and_scopes() -> None:
    text = clients(
        cloud={"keys": [ONE, TWO], "scopes": ["commands", "events"]},
        grafana={"keys": [THREE], "scopes": ["metrics"]},
    )
    found = read_clients(text)
    assert found["cloud"].keys == (b"\1" * 32, b"\2" * 32)
    assert found["grafana"].scopes == {Scope.METRICS}
    assert read_clients("") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CHANGE-ME", "is not JSON"),
        ("[]", "not a JSON object"),
        (clients(Cloud={"keys": [ONE], "scopes": []}), "a-z"),
        (clients(cloud={"keys": [], "scopes": []}), "cloud.keys"),
        (clients(cloud={"keys": [ONE, TWO, THREE], "scopes": []}), "cloud.keys"),
        (clients(cloud={"keys": ONE, "scopes": []}), "one or two keys"),
        (clients(cloud={"keys": [ONE[:-4]], "scopes": []}), "32 bytes"),
        (clients(cloud={"keys": ["ключ"], "scopes": []}), "base64"),
        (clients(cloud={"keys": [ONE], "scopes": ["all"]}), "cloud.scopes"),
        (clients(cloud={"keys": [ONE]}), "cloud.scopes"),
        (clients(cloud={"keys": [ONE], "scopes": [], "admin": True}), "cloud.admin"),
        (
            clients(cloud={"keys": [ONE], "scopes": []}, mac={"keys": [ONE], "scopes": []}),
            "same key twice",
        ),
    ],
)
def test_what_is_wrong_is_named_without_a_key(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        read_clients(text)
    assert not any(key[:12] in str(caught.value) for key in (ONE, TWO, THREE))
    with pytest.raises(ValidationError):
        ApiSettings.model_validate({"api_clients": text})


def test_a_door_without_an_application_and_a_peer_without_an_address_are_refused() -> None:
    with pytest.raises(ValidationError, match="PORTIERE_ACCESS_AUDIENCE"):
        ApiSettings.model_validate({"access_team_domain": "https://t.cloudflareaccess.com"})
    with pytest.raises(ValidationError, match="networks"):
        ApiSettings.model_validate({"tunnel_peers": "localhost"})

"""The control API, the page's files, and the bounds of the memory."""

import json
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from app.messages import catalogue
from app.providers.sandbox import config as configuration
from app.providers.sandbox import control_api, spoki_api
from app.providers.sandbox.faults import KINDS
from app.providers.sandbox.phones import valid_phone
from app.providers.sandbox.state import SendCall, State, now_ms
from app.settings import SettingsError
from tests.unit.providers.sandbox.conftest import API_KEY, GUEST, Api

OWN = sorted(catalogue.load(None, "Casa Prova", "spoki").names)
DOCS = Path(__file__).parents[4] / "docs" / "sandbox.md"
STATIC = Path(configuration.__file__).parent / "static"
KEY = {"X-Spoki-Api-Key": API_KEY}


def test_templates_are_listed_in_pages(api: Api) -> None:
    page = api.http.get("/api/1/templates/?page_size=2", headers=KEY).json()
    assert (page["count"], len(page["results"])) == (5 + len(OWN), 2)
    ids = [template["id"] for template in page["results"]]
    while page["next"]:
        page = api.http.get(page["next"], headers=KEY).json()
        ids += [template["id"] for template in page["results"]]
    assert ids == [7001, 7002, 7003, 7004, 7005, *range(7101, 7101 + len(OWN))]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_our_own_templates_are_sent_and_shown_filled(api: Api, name: str, language: str) -> None:
    listed = api.http.get("/api/1/templates/?page_size=100", headers=KEY).json()["results"]
    (template,) = (each["id"] for each in listed if each["name"] == f"portiere_{name}")
    found = catalogue.load(None, "Casa Prova", "spoki")
    names = found.reference(name, language).parameters
    given = {each: f"<{each}>" for each in names if each != catalogue.PROPERTY}
    message = found.render(name, language, given)
    fields = {each.upper(): message.variables[each] for each in names}
    body = {"type": "Template", "phone": GUEST, "template": template, "language": language}
    assert api.send(body | {"custom_fields": fields}).status_code == 201
    assert api.messages()[0]["text"] == message.text


def test_a_contact_is_updated_by_its_phone(api: Api) -> None:
    def sync(**fields: object) -> dict[str, object]:
        body = {"phone": GUEST} | fields
        found: dict[str, object] = api.http.post(
            "/api/1/contacts/sync/", json=body, headers=KEY
        ).json()
        return found

    first = sync(first_name="Ospite", status="Subscribed")
    second = sync(last_name="Prova")
    assert second == first | {"last_name": "Prova"}
    assert sync(status="Maybe") == {"status": ['"Maybe" is not a valid choice.']}


def test_reset_forgets_everything(api: Api) -> None:
    api.write()
    api.text()
    api.fault("slow")
    api.http.patch("/sandbox/settings", json={"rate_limits": "on"})
    assert api.http.post("/sandbox/reset").status_code == 204
    status = api.http.get("/sandbox/status").json()
    assert (status["messages"], status["sends"], status["webhooks_waiting"]) == (0, 0, 0)
    assert status["settings"]["rate_limits"] == "off"
    assert api.faults() == {}


def test_the_status_holds_no_secret(api: Api) -> None:
    shown = api.http.get("/sandbox/status").text
    assert API_KEY not in shown
    assert "test-webhook-secret" not in shown


def test_sends_are_kept_as_they_came(api: Api) -> None:
    raw = (
        b'{ "type":"Message" , "content_type":"Text","phone":"+390000000001","text":"perch\\u00e9"}'
    )
    api.http.post(
        "/api/1/messages/send/", content=raw, headers=KEY | {"Content-Type": "application/json"}
    )
    api.send({"type": "Letter"})
    kept = api.sends()
    assert kept[0]["raw"] == raw.decode()
    assert kept[0]["body"] == json.loads(raw)
    accepted = api.http.get("/sandbox/sends?accepted=true").json()
    assert accepted["count"] == 1


@pytest.mark.parametrize(
    "body",
    [{"phone": "12", "text": "x"}, {"phone": GUEST, "text": ""}, {"phone": GUEST}],
    ids=["phone", "empty", "missing"],
)
def test_a_senseless_inbound_is_refused(api: Api, body: dict[str, str]) -> None:
    assert api.http.post("/sandbox/inbound", json=body).status_code == 422


def test_events_tell_an_open_page(api: Api) -> None:
    with api.http.stream("GET", "/sandbox/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: ready"
        api.write("Ciao")
        names = (line for line in lines if line.startswith("event: "))
        assert next(names) == "event: message"


def test_the_page_and_its_files_are_served_with_a_strict_policy(api: Api) -> None:
    names = sorted(path.name for path in STATIC.iterdir())
    assert {"index.html", "phone.css", "phone.js"} <= set(names)
    for path in ["/", *(f"/static/{name}" for name in names)]:
        answer = api.http.get(path)
        assert answer.status_code == 200, path
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"], path
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_the_oldest_is_forgotten_past_the_bound() -> None:
    state = State(max_messages=3, max_sends=2)
    for number in range(5):
        state.add_inbound(f"+39000000000{number}", str(number))
        state.sends.append(SendCall(now_ms(), b"{}"))
    assert [message.text for message in state.messages()] == ["2", "3", "4"]
    assert state.phones() == ["+390000000002", "+390000000003", "+390000000004"]
    assert len(state.sends) == 2


def test_answers_are_matched_in_order() -> None:
    state = State()
    first, second = state.add_inbound(GUEST, "one"), state.add_inbound(GUEST, "two")
    replies = [state.add_outbound(GUEST, "Text", "reply", now_ms()) for _ in range(3)]
    assert [reply.in_reply_to for reply in replies] == [first.uuid, second.uuid, None]


@pytest.mark.parametrize(
    ("phone", "valid"),
    [
        ("+390000000001", True),
        ("+39000555666", True),
        ("+390000", False),
        ("390000000001", False),
        ("+442079460958", True),
        ("+44123", False),
        ("+999123456789", False),
        ("+٣٩٠٠٠٠٠٠٠٠٠١", False),
        ("", False),
    ],
)
def test_phones(phone: str, valid: bool) -> None:
    assert valid_phone(phone) is valid


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTIERE_SANDBOX_API_KEY", "invented-key")
    monkeypatch.delenv("PORTIERE_SANDBOX_WEBHOOK_SECRET", raising=False)
    with pytest.raises(SettingsError, match="PORTIERE_SANDBOX_WEBHOOK_SECRET"):
        configuration.load_config()


def test_the_docs_list_every_fault_call_and_variable() -> None:
    docs = DOCS.read_text()
    routes = [*control_api.router.routes, *spoki_api.router.routes]
    named = [route.path for route in routes if isinstance(route, APIRoute)]
    paths = {re.sub(r"\{hook_id\}/.*", "{id}/rotate_secret/", path) for path in named}
    assert len(paths) >= 14
    missing = [path for path in paths if path not in docs]
    missing += [name for name in KINDS if f"| `{name}` |" not in docs]
    variables = [
        f"PORTIERE_SANDBOX_{name.upper()}" for name in configuration.SandboxConfig.model_fields
    ]
    missing += [name for name in variables if f"| `{name}` |" not in docs]
    assert missing == []


def test_the_page_offers_every_fault() -> None:
    offered = re.findall(r'^  \["([a-z_]+)", "', (STATIC / "faults.js").read_text(), re.MULTILINE)
    assert sorted(offered) == sorted(KINDS)

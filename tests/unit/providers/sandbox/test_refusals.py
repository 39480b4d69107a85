"""The sandbox refuses what Spoki refuses, and says it as Spoki does."""

import copy
from typing import Any

import pytest

from tests.unit.providers.sandbox import samples
from tests.unit.providers.sandbox.conftest import API_KEY, Api

SEND = "/api/1/messages/send/"
KEY = {"X-Spoki-Api-Key": API_KEY}
ROW = samples.LIST["list"]["sections"][0]["rows"]
REQUIRED = ["This field is required."]


def twice(value: str) -> list[str]:
    return [f'"{value}" is there twice.']


def _changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """``body`` with ``value`` at ``path`` (dots and indices); ``...`` removes it."""
    found = copy.deepcopy(body)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node: Any = found
    for step in parents:
        node = node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return found


@pytest.mark.parametrize(
    "body",
    [samples.TEMPLATE, samples.TEXT, samples.BUTTONS, samples.LIST, samples.MEDIA],
    ids=["template", "text", "buttons", "list", "media"],
)
def test_a_good_send_is_accepted(api: Api, body: dict[str, Any]) -> None:
    answer = api.send(body)
    assert answer.status_code == 201
    assert answer.json().keys() == {"id", "uuid", "status"}
    assert answer.json()["status"] == "Pending"
    assert api.sends()[0]["accepted"] is True
    assert api.sends()[0]["body"] == body


@pytest.mark.parametrize(
    ("body", "path", "value", "expected"),
    [
        (samples.TEXT, "type", ..., {"type": REQUIRED}),
        (samples.TEXT, "type", "Letter", {"type": ['"Letter" is not a valid choice.']}),
        (samples.TEXT, "content_type", ..., {"content_type": REQUIRED}),
        (
            samples.TEXT,
            "content_type",
            "Smoke",
            {"content_type": ['"Smoke" is not a valid choice.']},
        ),
        (samples.TEXT, "phone", ..., {"phone": REQUIRED}),
        (samples.TEXT, "phone", None, {"phone": ["This field may not be null."]}),
        (samples.TEXT, "phone", "390000000001", {"phone": ["Enter a valid phone number."]}),
        (samples.TEXT, "phone", "+39 000 0000001", {"phone": ["Enter a valid phone number."]}),
        (samples.TEXT, "phone", "+1999", {"phone": ["Enter a valid phone number."]}),
        (samples.TEXT, "text", ..., {"text": REQUIRED}),
        (samples.TEXT, "text", "", {"text": ["This field may not be blank."]}),
        (samples.TEXT, "text", 7, {"text": ["Not a valid string."]}),
        (
            samples.TEXT,
            "text",
            "x" * 4097,
            {"text": ["Ensure this field has no more than 4096 characters."]},
        ),
        (samples.TEXT, "metadata", [], {"metadata": ["Expected a dictionary of items."]}),
        (
            samples.TEMPLATE,
            "template",
            9999,
            {"template": ['Invalid pk "9999" - object does not exist.']},
        ),
        (samples.TEMPLATE, "template", "7002", {"template": ["A valid integer is required."]}),
        (samples.TEMPLATE, "template", 7003, {"template": ["This template is not approved."]}),
        (samples.TEMPLATE, "template", 7004, {"template": ["This template is not approved."]}),
        (samples.TEMPLATE, "template", 7005, {"template": ["This template is not approved."]}),
        (
            samples.TEMPLATE,
            "language",
            "ja",
            {"language": ['"ja" is not a language of this template.']},
        ),
        (
            samples.TEMPLATE,
            "custom_fields.CHECKIN_DATE",
            ...,
            {"custom_fields": ["Missing values: CHECKIN_DATE."]},
        ),
        (
            samples.BUTTONS,
            "buttons.1.text",
            "A text of 21 letters.",
            {"buttons": [{}, {"text": ["Ensure this field has no more than 20 characters."]}]},
        ),
        (
            samples.BUTTONS,
            "buttons",
            samples.BUTTONS["buttons"] * 2,
            {"buttons": ["Ensure this field has no more than 3 elements."]},
        ),
        (samples.BUTTONS, "buttons", [], {"buttons": ["This list may not be empty."]}),
        (
            samples.BUTTONS,
            "buttons.0.button_type",
            "link",
            {"buttons": [{"button_type": ['"link" is not a valid choice.']}]},
        ),
        (samples.BUTTONS, "buttons.1.text", "La password", {"buttons": twice("La password")}),
        (samples.BUTTONS, "buttons.1.payload", "wifi", {"buttons": twice("wifi")}),
        (samples.LIST, "list", ..., {"list": REQUIRED}),
        (samples.LIST, "list.sections.0.rows", ROW * 2, {"list": twice("wifi")}),
        (
            samples.LIST,
            "list.sections",
            [{"title": "Casa", "rows": ROW * 6}] * 2,
            {"list": ["Ensure this list has no more than 10 rows."]},
        ),
        (
            samples.LIST,
            "list.sections.0.rows.0.title",
            "A title of 25 characters.",
            {
                "list": {
                    "sections": [
                        {"rows": [{"title": ["Ensure this field has no more than 24 characters."]}]}
                    ]
                }
            },
        ),
        (
            samples.LIST,
            "list.sections.0.rows.0.title",
            ...,
            {"list": {"sections": [{"rows": [{"title": REQUIRED}]}]}},
        ),
        (samples.MEDIA, "media.url", "regole.pdf", {"media": {"url": ["Enter a valid URL."]}}),
    ],
)
def test_a_wrong_field_is_named(
    api: Api, body: dict[str, Any], path: str, value: object, expected: dict[str, Any]
) -> None:
    answer = api.send(_changed(body, path, value))
    assert (answer.status_code, answer.json()) == (400, expected)
    assert api.sends()[0]["answer"] == 400
    assert api.sends()[0]["accepted"] is False
    assert api.messages() == []


def test_two_wrong_fields_are_both_named(api: Api) -> None:
    answer = api.send({"type": "Message", "content_type": "Text"})
    assert answer.json() == {"phone": REQUIRED, "text": REQUIRED}


def test_a_body_that_is_no_object_is_refused(api: Api) -> None:
    answer = api.send(["no"])
    assert answer.status_code == 400
    assert "non_field_errors" in answer.json()


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    headers = KEY | {"Content-Type": "application/json"}
    answer = api.http.post(SEND, content=b"{", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("JSON parse error")


def test_another_media_type_is_refused(api: Api) -> None:
    answer = api.http.post(SEND, data={"type": "Message"}, headers=KEY)
    assert answer.status_code == 415


def test_a_body_over_one_mebibyte_is_refused(api: Api) -> None:
    answer = api.send({"text": "x" * 1024 * 1024})
    assert answer.status_code == 413


def test_the_key_is_needed(api: Api) -> None:
    missing = api.http.post(SEND, json=samples.TEXT)
    assert missing.status_code == 401
    assert missing.json() == {"detail": "Authentication credentials were not provided."}
    wrong = api.http.post(SEND, json=samples.TEXT, headers={b"X-Spoki-Api-Key": b"w\xf6ng"})
    assert wrong.status_code == 403
    assert api.sends() == []


@pytest.mark.parametrize("path", ["/api/1/messages/send", "/api/1/templates", "/api/1/nothing/"])
def test_a_path_without_its_slash_is_not_found(api: Api, path: str) -> None:
    answer = api.http.post(path, json=samples.TEXT, headers=KEY)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


def test_the_wrong_method_is_refused(api: Api) -> None:
    answer = api.http.get(SEND, headers=KEY)
    assert answer.status_code == 405
    assert answer.json() == {"detail": 'Method "GET" not allowed.'}


def test_limits_are_off_until_switched_on(api: Api) -> None:
    template = samples.TEMPLATE
    assert {api.send(template).status_code for _ in range(61)} == {201}
    api.http.patch("/sandbox/settings", json={"rate_limits": "on"}).raise_for_status()
    assert {api.send(template).status_code for _ in range(60)} == {201}
    refused = api.send(template)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert api.text().status_code == 201

"""What Spoki is asked, and what each of its answers means."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.messages.catalogue import Catalogue
from app.messages.outgoing import Choice, Text
from app.messages.provider import (
    InDoubtError,
    NotSentError,
    RefusedError,
    SlowDownError,
    WindowClosedError,
)
from app.providers.sandbox.requests import parse_send
from app.providers.spoki import Spoki
from tests.support.events import GUEST
from tests.support.processes import free_port
from tests.support.scripted import Answer, Scripted, scripted

UUID = "5f1c2a9e-3b7d-4c11-9e0a-2b6d1f7c8a01"
ACCEPTED = Answer(201, {"id": 88123401, "uuid": UUID, "status": "Pending"})
TIMEOUT = timedelta(seconds=5)


@pytest.fixture(scope="module")
def _server() -> Iterator[Scripted]:
    with scripted(lambda _: ACCEPTED) as found:
        yield found


@pytest.fixture
def server(_server: Scripted) -> Scripted:
    """Spoki's place; it accepts unless told otherwise."""
    _server.answers.clear()
    _server.asked.clear()
    return _server


@pytest.fixture
def spoki(server: Scripted, templates: Catalogue) -> Iterator[Spoki]:
    """The provider, at that server."""
    found = Spoki(server.url, "invented-api-key", TIMEOUT, 1, templates)
    yield found
    found.close()


def choices(count: int) -> tuple[Choice, ...]:
    return tuple(Choice(f"choice-{number}", f"Scelta {number}") for number in range(count))


def sent(server: Scripted) -> Any:
    """The body of the only send; one that the sandbox's checks take as well."""
    (asked,) = server.asked
    assert asked.path == "/api/1/messages/send/"
    assert asked.headers["x-spoki-api-key"] == "invented-api-key"
    if asked.body["type"] != "Template":
        parse_send(asked.body)
    return asked.body


def test_a_text(spoki: Spoki, server: Scripted) -> None:
    assert spoki.send(GUEST, Text("Perché?"), "reply-1") == UUID.replace("-", "")
    assert sent(server) == {
        "type": "Message",
        "content_type": "Text",
        "phone": GUEST,
        "text": "Perché?",
        "metadata": {"correlation_id": "reply-1"},
    }


@pytest.mark.parametrize("count", [1, 3])
def test_up_to_three_choices_are_buttons(spoki: Spoki, server: Scripted, count: int) -> None:
    spoki.send(GUEST, Text("Serve altro?", choices(count)), "reply-1")
    body = sent(server)
    assert body["content_type"] == "Interactive"
    assert body["buttons"] == [
        {
            "button_type": "quick_reply",
            "text": f"Scelta {number}",
            "order": number,
            "payload": f"choice-{number}",
        }
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [4, 10])
def test_more_choices_are_a_list(spoki: Spoki, server: Scripted, count: int) -> None:
    spoki.send(GUEST, Text("Serve altro?", choices(count)), "reply-1")
    body = sent(server)
    assert body["content_type"] == "List"
    (section,) = body["list"]["sections"]
    assert [row["payload"] for row in section["rows"]] == [f"choice-{n}" for n in range(count)]
    assert section["rows"][0]["title"] == "Scelta 0"


def test_choices_below_a_long_text_are_spelled_out(spoki: Spoki, server: Scripted) -> None:
    spoki.send(GUEST, Text("x" * 1025, choices(2)), "reply-1")
    body = sent(server)
    assert body["content_type"] == "Text"
    assert body["text"] == f"{'x' * 1025}\n\n• Scelta 0\n• Scelta 1"


def test_a_template_goes_by_its_number(
    spoki: Spoki, server: Scripted, templates: Catalogue
) -> None:
    names = templates.reference("welcome", "it").parameters
    values = {name: f"un {name}" for name in names if name != "property"}
    spoki.send(GUEST, templates.render("welcome", "it", values), "notice-1")
    body = sent(server)
    assert (body["type"], body["template"], body["language"]) == ("Template", 7101, "it")
    assert body["custom_fields"] == {name.upper(): values.get(name, "Casa Prova") for name in names}
    assert body["metadata"] == {"correlation_id": "notice-1"}


@pytest.mark.parametrize(("name", "language"), [("welcome", "de"), ("handed_to_person", "it")])
def test_a_template_without_a_number_is_not_sent(
    spoki: Spoki, server: Scripted, templates: Catalogue, name: str, language: str
) -> None:
    given = [one for one in templates.reference(name, language).parameters if one != "property"]
    message = templates.render(name, language, dict.fromkeys(given, "x"))
    with pytest.raises(RefusedError, match=name):
        spoki.send(GUEST, message, "notice-1")
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "expected", "after"),
    [
        (Answer(429, {}, {"Retry-After": "7"}), SlowDownError, 7),
        (Answer(429, {}), SlowDownError, None),
        (Answer(400, {"error_code": "spoki::1029"}), NotSentError, 300),
        (Answer(401, {"detail": "…"}), NotSentError, 60),
        (Answer(403, b"<html>"), NotSentError, 60),
        (Answer(400, {"error_code": "whatsapp::131056"}), SlowDownError, None),
        (Answer(400, {"error_code": "whatsapp::131000"}), NotSentError, None),
        (Answer(500, {"error_code": "whatsapp::131016"}), NotSentError, None),
    ],
)
def test_what_is_worth_another_try(
    spoki: Spoki, server: Scripted, answer: Answer, expected: type, after: int | None
) -> None:
    server.answers.append(answer)
    with pytest.raises(NotSentError) as caught:
        spoki.send(GUEST, Text("Ciao"), "reply-1")
    assert type(caught.value) is expected
    assert caught.value.after == (None if after is None else timedelta(seconds=after))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(400, {"error_code": "whatsapp::131047"}), WindowClosedError),
        (Answer(400, {"error_code": "whatsapp::131026"}), RefusedError),
        (Answer(400, {"error_code": "whatsapp::131050"}), RefusedError),
        (Answer(400, {"error_code": "whatsapp::"}), RefusedError),
        (Answer(400, {"error_code": "whatsapp::" + "9" * 5000}), RefusedError),
        (Answer(400, {"error_code": "spoki::3004"}), RefusedError),
        (Answer(400, {"text": ["This field may not be blank."]}), RefusedError),
        (Answer(404, b"not json"), RefusedError),
        (Answer(200, {"detail": "Message queued"}), InDoubtError),
        (Answer(200, b""), InDoubtError),
        (Answer(200, []), InDoubtError),
        (Answer(503, {"detail": "A server error occurred."}), InDoubtError),
        (Answer(None), InDoubtError),
    ],
)
def test_what_is_not(
    spoki: Spoki, server: Scripted, answer: Answer, expected: type[Exception]
) -> None:
    server.answers.append(answer)
    with pytest.raises(expected) as caught:
        spoki.send(GUEST, Text("Ciao"), "reply-1")
    assert type(caught.value) is expected
    assert GUEST not in str(caught.value)


def test_where_nobody_listens_nothing_was_sent(templates: Catalogue) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    spoki = Spoki(nowhere, "invented-api-key", TIMEOUT, 1, templates)
    with pytest.raises(NotSentError, match="can't be reached"):
        spoki.send(GUEST, Text("Ciao"), "reply-1")
    spoki.close()

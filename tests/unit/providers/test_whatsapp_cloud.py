"""What WhatsApp's Cloud API is asked, and what each of its answers means."""

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
from app.providers.whatsapp_cloud import WhatsAppCloud
from tests.support.events import GUEST
from tests.support.processes import free_port
from tests.support.scripted import Answer, Scripted, scripted

ACCEPTED = Answer(
    200,
    {
        "messaging_product": "whatsapp",
        "contacts": [{"input": GUEST, "wa_id": "390000000001"}],
        "messages": [{"id": "wamid.INVENTED"}],
    },
)
TIMEOUT = timedelta(seconds=5)


@pytest.fixture(scope="module")
def _server() -> Iterator[Scripted]:
    with scripted(lambda _: ACCEPTED) as found:
        yield found


@pytest.fixture
def server(_server: Scripted) -> Scripted:
    """The API's place; it accepts unless told otherwise."""
    _server.answers.clear()
    _server.asked.clear()
    return _server


@pytest.fixture
def cloud(server: Scripted, templates: Catalogue) -> Iterator[WhatsAppCloud]:
    """The provider, at that server."""
    found = WhatsAppCloud(f"{server.url}/v23.0/1001", "invented-token", TIMEOUT, 1, templates)
    yield found
    found.close()


def choices(count: int) -> tuple[Choice, ...]:
    return tuple(Choice(f"choice-{number}", f"Scelta {number}") for number in range(count))


def sent(server: Scripted) -> Any:
    """What the only send holds beside what every send has."""
    (asked,) = server.asked
    assert asked.path == "/v23.0/1001/messages"
    assert asked.headers["authorization"] == "Bearer invented-token"
    every = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": GUEST,
        "biz_opaque_callback_data": "reply-1",
    }
    assert every.items() <= asked.body.items()
    return {name: value for name, value in asked.body.items() if name not in every}


def test_a_text(cloud: WhatsAppCloud, server: Scripted) -> None:
    assert cloud.send(GUEST, Text("Perché?"), "reply-1") == "wamid.INVENTED"
    assert sent(server) == {"type": "text", "text": {"body": "Perché?"}}


def test_up_to_three_choices_are_buttons(cloud: WhatsAppCloud, server: Scripted) -> None:
    cloud.send(GUEST, Text("Serve altro?", choices(3)), "reply-1")
    buttons = [
        {"type": "reply", "reply": {"id": f"choice-{n}", "title": f"Scelta {n}"}} for n in range(3)
    ]
    assert sent(server) == {
        "type": "interactive",
        "interactive": {
            "type": "button",
            "body": {"text": "Serve altro?"},
            "action": {"buttons": buttons},
        },
    }


@pytest.mark.parametrize("count", [4, 10])
def test_more_choices_are_a_list(cloud: WhatsAppCloud, server: Scripted, count: int) -> None:
    cloud.send(GUEST, Text("Serve altro?", choices(count)), "reply-1")
    interactive = sent(server)["interactive"]
    assert interactive["type"] == "list"
    assert 0 < len(interactive["action"]["button"]) <= 20
    assert interactive["action"]["sections"] == [
        {"rows": [{"id": f"choice-{n}", "title": f"Scelta {n}"} for n in range(count)]}
    ]


def test_choices_below_a_long_text_are_spelled_out(cloud: WhatsAppCloud, server: Scripted) -> None:
    cloud.send(GUEST, Text("x" * 1025, choices(1)), "reply-1")
    assert sent(server)["text"] == {"body": f"{'x' * 1025}\n\n• Scelta 0"}


def test_a_template_has_its_values_in_order(
    cloud: WhatsAppCloud, server: Scripted, templates: Catalogue
) -> None:
    names = templates.reference("welcome", "de").parameters
    values = {name: f"ein {name}" for name in reversed(names) if name != "property"}
    cloud.send(GUEST, templates.render("welcome", "de", values), "reply-1")
    parameters = [{"type": "text", "text": values.get(name, "Casa Prova")} for name in names]
    assert sent(server) == {
        "type": "template",
        "template": {
            "name": "invented_welcome",
            "language": {"code": "de"},
            "components": [{"type": "body", "parameters": parameters}],
        },
    }


def test_a_template_without_a_name_is_not_sent(
    cloud: WhatsAppCloud, server: Scripted, templates: Catalogue
) -> None:
    with pytest.raises(RefusedError, match="handed_to_person"):
        cloud.send(GUEST, templates.render("handed_to_person", "it", {}), "reply-1")
    assert server.asked == []


def error(code: int, status: int = 400) -> Answer:
    """A refusal as Meta words it."""
    return Answer(status, {"error": {"message": "(#0) …", "type": "OAuthException", "code": code}})


@pytest.mark.parametrize(
    ("answer", "expected", "after"),
    [
        *((error(code), SlowDownError, None) for code in (130429, 131056, 80007, 4)),
        (Answer(429, b"", {"Retry-After": "9"}), SlowDownError, 9),
        *((error(code, 500), NotSentError, None) for code in (131000, 131016)),
        (error(190, 401), NotSentError, 60),
        (error(10, 403), NotSentError, 60),
    ],
)
def test_what_is_worth_another_try(
    cloud: WhatsAppCloud, server: Scripted, answer: Answer, expected: type, after: int | None
) -> None:
    server.answers.append(answer)
    with pytest.raises(NotSentError) as caught:
        cloud.send(GUEST, Text("Ciao"), "reply-1")
    assert type(caught.value) is expected
    assert caught.value.after == (None if after is None else timedelta(seconds=after))


REFUSED = (
    *(131026, 131049, 131050, 131051, 131053, 131008, 131009, 132000, 132001, 132015, 132016),
    *(130472, 131042, 368, 131031, 131048),
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(131047), WindowClosedError),
        *((error(code, 403), RefusedError) for code in REFUSED),
        (error(100), RefusedError),
        (Answer(400, b"not json"), RefusedError),
        (Answer(400, {"error": "x"}), RefusedError),
        (error(2, 503), InDoubtError),
        (Answer(502, b"<html>"), InDoubtError),
        (Answer(200, b""), InDoubtError),
        (Answer(200, {"messages": []}), InDoubtError),
        (Answer(200, {"messages": [{"id": ""}]}), InDoubtError),
        (Answer(None), InDoubtError),
    ],
)
def test_what_is_not(
    cloud: WhatsAppCloud, server: Scripted, answer: Answer, expected: type[Exception]
) -> None:
    server.answers.append(answer)
    with pytest.raises(expected) as caught:
        cloud.send(GUEST, Text("Ciao"), "reply-1")
    assert type(caught.value) is expected


def test_where_nobody_listens_nothing_was_sent(templates: Catalogue) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v23.0/1001"
    cloud = WhatsAppCloud(nowhere, "invented-token", TIMEOUT, 1, templates)
    with pytest.raises(NotSentError, match="can't be reached"):
        cloud.send(GUEST, Text("Ciao"), "reply-1")
    cloud.close()

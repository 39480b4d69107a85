"""The last look before a message leaves: what it forbids doesn't leave, nor later on."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from app.messages.catalogue import Catalogue
from app.messages.outgoing import Text
from app.messages.provider import InDoubtError, LeaseOverError, Provider, UnreachableError
from app.providers.spoki import Spoki
from app.providers.whatsapp_cloud import WhatsAppCloud
from tests.support.events import GUEST
from tests.support.processes import free_port
from tests.support.scripted import Answer, Scripted, scripted

TIMEOUT = timedelta(seconds=5)
ACCEPTED = Answer(200, {"id": 1, "uuid": "5f1c2a9e", "messages": [{"id": "wamid.1"}]})
Maker = Callable[[str], Provider]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted(lambda _: ACCEPTED) as found:
        yield found


@pytest.fixture(params=[Spoki, WhatsAppCloud])
def make(request: pytest.FixtureRequest, templates: Catalogue) -> Iterator[Maker]:
    made: list[Provider] = []

    def make_one(url: str) -> Provider:
        made.append(request.param(url, "invented-key", TIMEOUT, 1, templates))
        return made[-1]

    yield make_one
    for provider in made:
        provider.close()


def refuse_at(look: int) -> Callable[[], None]:
    """Refuses at the look of that number, from 1 on."""
    looks = 0

    def last_look() -> None:
        nonlocal looks
        looks += 1
        if looks == look:
            raise LeaseOverError("over", timedelta(0))

    return last_look


@pytest.mark.parametrize("look", [1, 2])
@pytest.mark.parametrize("connected_before", [False, True])
def test_what_it_forbids_doesnt_leave_and_the_next_message_does(
    make: Maker, server: Scripted, look: int, connected_before: bool
) -> None:
    """The first is before the head of the request, the second before its body."""
    provider = make(server.url)
    if connected_before:
        provider.send(GUEST, Text("uno"), "reply-1")
    before = len(server.asked)
    for _ in range(3):  # of one connection only: it isn't lost
        with pytest.raises(LeaseOverError):
            provider.send(GUEST, Text("due"), "reply-2", refuse_at(look))
    assert len(server.asked) == before
    provider.send(GUEST, Text("tre"), "reply-3")
    assert [str(asked.body).count("tre") for asked in server.asked[before:]] == [1]


def test_it_is_asked_when_all_else_is_ready(make: Maker, server: Scripted) -> None:
    asked_at: list[int] = []
    make(server.url).send(GUEST, Text("uno"), "reply-1", lambda: asked_at.append(len(server.asked)))
    assert asked_at == [0, 0]


def test_it_isnt_asked_where_nobody_is_reached(make: Maker) -> None:
    with pytest.raises(UnreachableError):
        make(f"http://127.0.0.1:{free_port()}").send(GUEST, Text("uno"), "r", refuse_at(1))


def test_an_answer_that_is_lost_stays_in_doubt(make: Maker, server: Scripted) -> None:
    server.answers.append(Answer(None))
    with pytest.raises(InDoubtError):
        make(server.url).send(GUEST, Text("uno"), "reply-1", lambda: None)

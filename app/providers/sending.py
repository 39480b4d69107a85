"""What sending over HTTP has in common, whoever the provider is."""

from datetime import timedelta
from typing import Any

import httpx

from app.messages.outgoing import Text
from app.messages.provider import InDoubtError, LastLook, UnreachableError

CONNECT_TIMEOUT = timedelta(seconds=3)
# Shorter than what servers usually keep an idle connection for (nginx: 75 s), so that a send is
# not started on a connection that the other side is just closing.
KEEPALIVE = timedelta(seconds=30)
# Errors that say that nothing was handed over: no connection was made.
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# The events of httpcore before it writes to a connection that is made. A request whose body is
# missing is none, so the second look is as good as the first and as late as can be.
_ABOUT_TO_WRITE = frozenset(
    {"http11.send_request_headers.started", "http11.send_request_body.started"}
)
# A refused key is mended by whoever looks after it; the guest's answer should survive that.
KEY_WAIT = timedelta(minutes=1)

# What WhatsApp shows as buttons; more become a list.
MOST_BUTTONS = 3
# A text with buttons or a list may have so many characters, and one without 4096.
LONGEST_WITH_CHOICES = 1024
# On the button that opens a list: WhatsApp wants a label there, and this one is in every language.
LIST_LABEL = "☰"


def make_client(
    base_url: str, headers: dict[str, str], timeout: timedelta, connections: int
) -> httpx.Client:
    """A client for all threads of a worker. ``timeout`` is what one answer may take."""
    return httpx.Client(
        base_url=base_url.rstrip("/"),
        headers=headers,
        timeout=httpx.Timeout(timeout.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds()),
        limits=httpx.Limits(
            max_connections=connections, keepalive_expiry=KEEPALIVE.total_seconds()
        ),
    )


def post(
    client: httpx.Client, path: str, body: dict[str, Any], whose: str, last_look: LastLook
) -> httpx.Response:
    """The provider's answer.

    Raises :class:`UnreachableError` if no connection was made, :class:`InDoubtError` if its answer
    was lost, and what ``last_look`` raises: the connection is then closed.
    """

    def trace(event: str, _info: dict[str, Any]) -> None:
        if event in _ABOUT_TO_WRITE:
            last_look()

    try:
        return client.post(path, json=body, extensions={"trace": trace})
    except _NOT_CONNECTED as error:
        raise UnreachableError(f"{whose} can't be reached ({type(error).__name__})") from error
    except httpx.HTTPError as error:
        raise InDoubtError(f"{whose}'s answer was lost ({type(error).__name__})") from error


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The answer's JSON; empty if it is none, or not an object."""
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def spelled_out(message: Text) -> Text:
    """The message as it can be sent: where choices don't fit, a line of text for each."""
    if not message.choices or len(message.text) <= LONGEST_WITH_CHOICES:
        return message
    lines = (f"• {choice.title}" for choice in message.choices)
    return Text("\n".join((message.text, "", *lines)))

"""Slack's incoming webhooks as they answer: plain words, and errors by one word."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.scripted import Answer, Asked, Scripted, scripted

HOOK = "/services/T000/B000/invented-slack-secret"


def as_slack_does(asked: Asked) -> Answer:
    """What Slack answers to a POST."""
    if not asked.path.startswith("/services/"):
        return Answer(404, b"no_service")
    if asked.path != HOOK:
        return Answer(403, b"invalid_token")
    if not asked.headers.get("content-type", "").startswith("application/json"):
        return Answer(400, b"invalid_payload")
    if not isinstance(asked.body, dict) or set(asked.body) - {"text", "blocks"}:
        return Answer(400, b"invalid_payload")
    if not isinstance(asked.body.get("text"), str) or not asked.body["text"].strip():
        return Answer(400, b"no_text")
    return Answer(200, b"ok")


def texts(slack: Scripted) -> list[str]:
    """What was posted, in order."""
    return [asked.body["text"] for asked in slack.asked]


@contextmanager
def slack_server() -> Iterator[Scripted]:
    """Slack until the end of the block; ``answers`` of it come before its own."""
    with scripted(as_slack_does) as found:
        yield found

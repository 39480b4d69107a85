"""The cloud's ear: takes events, and keeps them once each, as the wire says.

It is ours: it can't show that the real cloud dedupes, nor what it does with an event afterwards.
"""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.signing import Asked, SignedAuth, verify

URL = "http://cloud.example.invalid"
NODE, KEY = "mac", b"k" * 32
SETTINGS = {"cloud_url": URL, "cloud_key": b64encode(KEY).decode()}


@dataclass
class Ear:
    """What the cloud was told, in order, once each.

    ``mood`` says how it answers: ``up``, ``down`` (nobody there), ``deaf`` (takes all, and its
    answer is lost), ``broken`` (500), ``busy`` (429), ``confused`` (answers about something else).
    ``refuses`` says which events it rejects, ``faulty`` at which it refuses a whole batch.
    """

    mood: str = "up"
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: Callable[[dict[str, Any]], bool] = lambda _event: False
    faulty: Callable[[dict[str, Any]], bool] = lambda _event: False
    batches: list[int] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """Signs as the node does, and ends here."""
        return httpx.Client(
            base_url=URL, auth=SignedAuth(NODE, KEY), transport=httpx.MockTransport(self.answer)
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The wire: POST /api/events."""
        assert (request.method, request.url.path) == ("POST", "/api/events")
        verify(Asked("POST", "/api/events", request.content), request.headers, {NODE: [KEY]})
        if self.mood == "down":
            raise httpx.ConnectError("nobody there")
        if self.mood in ("broken", "busy"):
            return httpx.Response(500 if self.mood == "broken" else 429)
        events = json.loads(request.content)["events"]
        if any(self.faulty(event) for event in events):
            return httpx.Response(422)
        self.batches.append(len(events))
        said = self.take(events)
        if self.mood == "deaf":
            raise httpx.ReadTimeout("answered into the void")
        return httpx.Response(200, json={"accepted": []} if self.mood == "confused" else said)

    def take(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Keep what is new of ``events``; the answer to them."""
        rejected = [event["event_id"] for event in events if self.refuses(event)]
        accepted = [event for event in events if event["event_id"] not in rejected]
        for event in accepted:
            self.told.setdefault(event["event_id"], event)
        return {
            "accepted": [event["event_id"] for event in accepted],
            "rejected": [{"event_id": one, "reason": "no use for it"} for one in rejected],
        }

    def of_each_guest(self) -> dict[str | None, list[Any]]:
        """The payloads' numbers, in the order in which they were told, by guest."""
        found: dict[str | None, list[Any]] = {}
        for event in self.told.values():
            found.setdefault(event["guest"], []).append(event["payload"]["number"])
        return found

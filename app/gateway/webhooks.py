"""The door: ``POST /webhooks/spoki``.

Answered with 200 only once the event is committed. On a standby the request goes on to the leader,
as it came.
"""

import time
from datetime import timedelta
from typing import Protocol

import httpx
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.gateway.bodies import MAX_BODY_BYTES, BodyTooLargeError, read_body
from app.gateway.problems import problem
from app.messages.events import Event
from app.messages.inbox import Inbox
from app.providers import spoki_events, spoki_signature
from app.store.database import DatabaseError
from app.store.group_commit import GroupCommit

log = structlog.get_logger()
# The link's round trip is tens of milliseconds; Spoki is waiting meanwhile.
FORWARD_TIMEOUT = timedelta(seconds=5)
_ACCEPTED = b'{"accepted":true,"duplicate":false}'
_DUPLICATE = b'{"accepted":true,"duplicate":true}'


class Door(Protocol):
    """What becomes of a webhook whose signature was right."""

    async def take(self, event: Event, body: bytes, signature: str) -> Response:
        """Answer the provider."""
        ...


class LeaderDoor:
    """Keeps events in the inbox."""

    def __init__(self, inbox: Inbox, commits: GroupCommit) -> None:
        self._inbox = inbox
        self._commits = commits

    async def take(self, event: Event, body: bytes, signature: str) -> Response:
        """200 once the event is durable; 503 if it can't be made so (the provider asks again)."""
        statement = self._inbox.accept(event, body)
        try:
            accepted = await self._commits.commit(statement)
        except DatabaseError as error:
            log.error("accept_failed", reason=str(error))
            return problem(503, "not-accepted", "It could not be stored; send it again.")
        return Response(
            _DUPLICATE if accepted.row_id is None else _ACCEPTED, media_type="application/json"
        )


class StandbyDoor:
    """Forwards events to the leader, over the private link."""

    def __init__(self, leader_url: str) -> None:
        self._url = f"{leader_url.rstrip('/')}/webhooks/spoki"
        self._client = httpx.AsyncClient(timeout=FORWARD_TIMEOUT.total_seconds())

    async def take(self, event: Event, body: bytes, signature: str) -> Response:
        """The leader's answer; 503 if it can't be had (the provider asks again)."""
        headers = {spoki_signature.HEADER: signature, "Content-Type": "application/json"}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            log.warning("forward_failed", reason=type(error).__name__)
            return problem(
                503,
                "leader-unreachable",
                "The leader can't be reached; send it again.",
                {"Retry-After": "30"},
            )
        media_type = answer.headers.get("content-type", "application/json")
        return Response(answer.content, answer.status_code, media_type=media_type)

    async def close(self) -> None:
        """Close the connections to the leader."""
        await self._client.aclose()


def webhook_routes(door: Door, secrets: tuple[str, ...]) -> list[Route]:
    """The routes that providers call.

    Plain Starlette routes: FastAPI's way in costs more than all that is done here, and it has
    nothing to validate in a body that must be read raw for its signature.
    """

    async def spoki(request: Request) -> Response:
        try:
            body = await read_body(request)
        except BodyTooLargeError:
            limit = f"The body is larger than {MAX_BODY_BYTES} bytes."
            return problem(413, "body-too-large", limit, {"Connection": "close"})
        except ClientDisconnect:
            return problem(400, "body-incomplete", "The connection ended before the body did.")
        signature = request.headers.get(spoki_signature.HEADER)
        try:
            spoki_signature.verify(signature, body, secrets, time.time())
            event = spoki_events.parse(body)
        except spoki_signature.SignatureError as error:
            log.warning("signature_refused", reason=str(error))
            return problem(401, "signature-refused", f"Refused: {error}.")
        except spoki_events.EnvelopeError as error:
            log.warning("envelope_refused", reason=str(error))
            return problem(400, "not-an-event", f"This is no event of Spoki's: {error}.")
        return await door.take(event, body, signature or "")

    return [Route("/webhooks/spoki", spoki, methods=["POST"])]

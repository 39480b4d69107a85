"""The door: where the provider posts its webhooks.

Answered with 200 only once every event in it is committed. On a standby the request goes on to the
leader, as it came.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import httpx
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.gateway.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from app.gateway.problems import problem
from app.messages.inbox import Accepted, Inbox
from app.providers.incoming import EnvelopeError, Kept, SignatureError, Webhook
from app.store.database import Connection, DatabaseError
from app.store.group_commit import GroupCommit

log = structlog.get_logger()
# The link's round trip is tens of milliseconds; the provider is waiting meanwhile.
FORWARD_TIMEOUT = timedelta(seconds=5)
_ACCEPTED = b'{"accepted":true,"duplicate":false}'
_DUPLICATE = b'{"accepted":true,"duplicate":true}'


class Door(Protocol):
    """What becomes of a webhook whose signature was right."""

    async def take(self, events: Sequence[Kept], body: bytes, signature: str) -> Response:
        """Answer the provider."""
        ...


class LeaderDoor:
    """Keeps events in the inbox."""

    def __init__(self, inbox: Inbox, commits: GroupCommit) -> None:
        self._inbox = inbox
        self._commits = commits

    async def take(self, events: Sequence[Kept], body: bytes, signature: str) -> Response:
        """200 once all are durable; 503 if they can't be made so (the provider asks again)."""
        statements = [self._inbox.accept(kept.event, kept.body) for kept in events]

        def accept(connection: Connection) -> list[Accepted]:
            return [statement(connection) for statement in statements]

        try:
            accepted = await self._commits.commit(accept)
        except DatabaseError as error:
            log.error("accept_failed", reason=str(error))
            return problem(503, "not-accepted", "It could not be stored; send it again.")
        known = all(one.row_id is None for one in accepted)
        return Response(_DUPLICATE if known else _ACCEPTED, media_type="application/json")


class StandbyDoor:
    """Forwards events to the leader, over the private link."""

    def __init__(self, leader_url: str, webhook: Webhook) -> None:
        self._url = f"{leader_url.rstrip('/')}{webhook.path}"
        self._header = webhook.header
        self._client = httpx.AsyncClient(timeout=FORWARD_TIMEOUT.total_seconds())

    async def take(self, events: Sequence[Kept], body: bytes, signature: str) -> Response:
        """The leader's answer; 503 if it can't be had (the provider asks again)."""
        headers = {self._header: signature, "Content-Type": "application/json"}
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


def webhook_route(door: Door, webhook: Webhook, secrets: tuple[str, ...]) -> Route:
    """The route that the provider posts to.

    A plain Starlette route: FastAPI's way in costs more than all that is done here, and it has
    nothing to validate in a body that must be read raw for its signature.
    """

    async def take(request: Request) -> Response:
        try:
            body = await read_body(request, webhook.largest_body)
        except BodyTooLargeError:
            limit = f"The body is larger than {webhook.largest_body} bytes."
            return problem(413, "body-too-large", limit, {"Connection": "close"})
        except BodyTooSlowError:
            return problem(
                408, "body-too-slow", "Send the body without pauses.", {"Connection": "close"}
            )
        except ClientDisconnect:
            return problem(400, "body-incomplete", "The connection ended before the body did.")
        signature = request.headers.get(webhook.header)
        try:
            webhook.verify(signature, body, secrets, time.time())
            events = webhook.read(body)
        except SignatureError as error:
            log.warning("signature_refused", reason=str(error))
            return problem(401, "signature-refused", f"Refused: {error}.")
        except EnvelopeError as error:
            log.warning("envelope_refused", reason=str(error))
            return problem(400, "not-an-event", f"This is no event of the provider's: {error}.")
        return await door.take(events, body, signature or "")

    return Route(webhook.path, take, methods=["POST"])


def closed_route(webhook: Webhook) -> Route:
    """The place of a provider that is not the configured one."""

    async def refuse(_: Request) -> Response:
        detail = "Nobody takes webhooks here: PORTIERE_PROVIDER says whose are taken."
        return problem(404, "not-this-provider", detail)

    return Route(webhook.path, refuse, methods=["GET", "POST"])

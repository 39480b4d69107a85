"""The door: where the provider posts its webhooks.

Answered with 200 only once every event in it is committed, and, while both nodes are up, on both.
"""

import time
from collections.abc import Sequence
from typing import Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.gateway.whatsapp import verification_route
from app.ha.spool import Spool
from app.ha.spooled import Entry
from app.leading import Leadership
from app.messages.inbox import Accepted, Inbox
from app.providers.incoming import EnvelopeError, Kept, SignatureError, Webhook
from app.providers.registry import WEBHOOKS
from app.settings import ProviderName, Settings
from app.store.database import Connection, DatabaseError
from app.store.group_commit import GroupCommit
from app.web.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from app.web.problems import problem

log = structlog.get_logger()
_ACCEPTED = b'{"accepted":true,"duplicate":false}'
_DUPLICATE = b'{"accepted":true,"duplicate":true}'


class Door(Protocol):
    """What becomes of a webhook whose signature was right."""

    async def take(self, events: Sequence[Kept], body: bytes) -> Response:
        """Answer the provider."""
        ...


class LeaderDoor:
    """Keeps events in the inbox; ``copied``: with a copy, for whom ``commits`` brings it to."""

    def __init__(
        self, inbox: Inbox, commits: GroupCommit, provider: ProviderName, *, copied: bool
    ) -> None:
        self._inbox = inbox
        self._commits = commits
        self._provider = provider
        self._copied = copied

    async def take(self, events: Sequence[Kept], body: bytes) -> Response:
        """200 once all are durable; 503 if they can't be made so (the provider asks again)."""
        statements = [self._inbox.accept(kept.event, kept.body) for kept in events]

        def accept(connection: Connection) -> list[Accepted]:
            return [statement(connection) for statement in statements]

        copy = Entry.of_webhook(self._provider, body, events) if self._copied else None
        try:
            accepted = await self._commits.commit(accept, copy)
        except DatabaseError as error:
            return _not_kept(error)
        known = all(one.row_id is None for one in accepted)
        return Response(_DUPLICATE if known else _ACCEPTED, media_type="application/json")


class StandbyDoor:
    """Keeps webhooks in the spool; its ``commits`` hand them on to the leader, if it can be had."""

    def __init__(
        self, spool: Spool, commits: GroupCommit, leadership: Leadership, provider: ProviderName
    ) -> None:
        self._spool = spool
        self._commits = commits
        self._leadership = leadership
        self._provider = provider

    async def take(self, events: Sequence[Kept], body: bytes) -> Response:
        """200 once it is durable here, and with the leader as well if that one is reached."""
        entry = Entry.of_webhook(self._provider, body, events)
        term = self._leadership.standing().term
        try:
            took = await self._commits.commit(self._spool.keeping(entry, term))
        except DatabaseError as error:
            return _not_kept(error)
        return Response(_ACCEPTED if took.is_new else _DUPLICATE, media_type="application/json")


def _not_kept(error: DatabaseError) -> Response:
    log.error("accept_failed", reason=str(error))
    return problem(503, "not-accepted", "It could not be stored; send it again.")


def webhook_routes(door: Door, settings: Settings) -> list[Route]:
    """The routes of all providers: that of the configured one, and closed ones."""
    webhook = WEBHOOKS[settings.provider]
    routes = [webhook_route(door, webhook, settings.webhook_secrets)]
    if settings.provider is ProviderName.WHATSAPP_CLOUD:
        token = settings.whatsapp_verify_token.get_secret_value()
        routes.append(verification_route(webhook, token))
    others = [other for name, other in WEBHOOKS.items() if name is not settings.provider]
    return routes + [closed_route(other) for other in others]


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
        return await door.take(events, body)

    return Route(webhook.path, take, methods=["POST"])


def closed_route(webhook: Webhook) -> Route:
    """The place of a provider that is not the configured one."""

    async def refuse(_: Request) -> Response:
        detail = "Nobody takes webhooks here: PORTIERE_PROVIDER says whose are taken."
        return problem(404, "not-this-provider", detail)

    return Route(webhook.path, refuse, methods=["GET", "POST"])

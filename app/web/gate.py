"""The gate before the API: nothing under ``/api/`` is reached unsigned, over a limit, or malformed.

It stands before the routes, so that a new one can't forget it; what a client may do there is for
the route to say (`app.web.clients.caller`).
"""

import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import lease
from app.settings_api import ApiClient, ApiSettings
from app.settings_api import Scope as ClientScope
from app.signing import Asked, RefusedError, Signed, verify
from app.web.access import HEADER as ACCESS_HEADER
from app.web.access import access_of
from app.web.addresses import Origin, origin_of
from app.web.audit_log import AuditLog, changes
from app.web.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from app.web.clients import Admitted, Caller
from app.web.ledger import Ledger, LedgerError
from app.web.limits import Limits, quota_headers, refuse_exceeded
from app.web.problems import ProblemError
from app.web.strict import check_body

log = structlog.get_logger()
# A batch of a thousand messages is a tenth of that.
LARGEST_BODY: Final = 1_000_000
# What the other node hands over may hold one webhook of 3 MB, and JSON in JSON grows.
LARGEST_HANDED_OVER: Final = 8_000_000
_BETWEEN_NODES: Final = "/api/ha/"
METRICS: Final = "/metrics"
_BEARER: Final = "bearer "
# Between our own two machines, as often as they like and while Redis is away: refusing one of these
# makes the other machine take over. What they change is in the audit by who changes it.
_OURS: Final = ((lease.PATH, ClientScope.LEASE), (_BETWEEN_NODES, ClientScope.NODE))


class Gate:
    """Lets requests through to ``app``, or answers them itself.

    ``redis_url``: where requests are counted; None: in this process. ``peers`` are clients besides
    those of the settings.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ApiSettings,
        redis_url: str | None,
        ledger: Ledger,
        peers: Mapping[str, ApiClient] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._clients = {**settings.clients, **peers}
        self._keys = {name: client.keys for name, client in self._clients.items()}
        self._tunnel = settings.tunnel_networks
        self._access = access_of(settings)
        self._limits = Limits(redis_url, settings.requests_per_minute)
        self._audit = AuditLog(ledger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/webhooks/"):
            await self._app(scope, receive, send)
            return
        origin = origin_of(scope, self._tunnel)
        scope["state"] |= {"quotas": [], "limits": self._limits}
        answer = _with_quotas(scope, send)
        try:
            if not _is_guarded(scope["path"]):
                await self._visit(scope, origin)
            else:
                request = Request(scope, receive)
                body = await _body(request)
                admitted = await self._admit(request, body, origin)
                scope["state"]["admitted"] = admitted
                receive = _replay(body, receive)
                if not _is_ours(scope["path"], admitted.scopes):
                    answer = self._audit.watch(scope, answer)
                check_body(request.headers, body)
        except ProblemError as error:
            await error.response()(scope, receive, answer)
            return
        except ClientDisconnect:
            return
        try:
            await self._app(scope, receive, answer)
        except Exception:
            await self._audit.failed(scope)
            raise

    async def _visit(self, scope: Scope, origin: Origin) -> None:
        """Health and the like, for anyone: counted for visitors, not for our own watchers.

        Open while Redis is away: these are what tells of it.
        """
        if origin.through_tunnel:
            await self._count_if_possible(scope, f"address:{origin.limited_as}")

    async def _admit(self, request: Request, body: bytes, origin: Origin) -> Admitted:
        """Who asks; raises ProblemError."""
        if request.url.path == METRICS and (name := self._bearer(request)):
            found, scopes = name, frozenset({ClientScope.METRICS})
            await self._count(request.scope, f"client:{name}")
        else:
            signed = await self._signed(request, body, origin)
            found, scopes = signed.client, self._clients[signed.client].scopes
            if not _is_ours(request.url.path, scopes):
                await self._count(request.scope, f"client:{found}")
            await run_in_threadpool(self._spend, signed, changes(request.scope))
        # The other node has no seat at Access: its path is to be left out there.
        is_node = ClientScope.NODE in scopes
        if self._access is not None and origin.through_tunnel and not is_node:
            await self._access.check(request.headers.get(ACCESS_HEADER))
        return Admitted(Caller(found, request.state.request_id, origin.address), scopes)

    async def _signed(self, request: Request, body: bytes, origin: Origin) -> Signed:
        """Whose signature it is; an attempt without a good one counts for its address.

        Refused as such also while Redis is away: a node must know a clock that is off from an
        authority that is gone.
        """
        asked = Asked(request.method, _target(request.scope), body)
        try:
            return verify(asked, _joined(request.scope), self._keys)
        except RefusedError as error:
            log.warning("request_refused", reason=error.reason)
            await self._count_if_possible(request.scope, f"address:{origin.limited_as}")
            raise ProblemError(
                401, error.reason, error.detail, {"WWW-Authenticate": "Signature"}
            ) from None

    def _bearer(self, request: Request) -> str | None:
        """The client whose key is the bearer's: for Prometheus, which can't sign."""
        given = request.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() != _BEARER:
            return None
        token = given[len(_BEARER) :].strip().encode()
        matching = [
            name
            for name, client in self._clients.items()
            for encoded in client.encoded_keys
            if hmac.compare_digest(encoded, token) and ClientScope.METRICS in client.scopes
        ]
        return matching[0] if matching else None

    async def _count(self, scope: Scope, who: str) -> None:
        quota = await run_in_threadpool(self._limits.hit, who)
        scope["state"]["quotas"].append(quota)
        refuse_exceeded(quota)

    async def _count_if_possible(self, scope: Scope, who: str) -> None:
        try:
            await self._count(scope, who)
        except ProblemError as error:
            if error.status == 429:
                raise

    def _spend(self, signed: Signed, durable: bool) -> None:
        """The nonce is good once; it outlives a power cut where the request changes something."""
        try:
            is_new = self._ledger.spend(signed, durable=durable)
        except LedgerError:
            raise ProblemError(
                503,
                "store-unavailable",
                "The database didn't take it; ask again.",
                {"Retry-After": "5"},
            ) from None
        if not is_new:
            log.warning("replay_refused", client=signed.client)
            raise ProblemError(401, "nonce-used", "Sign each request anew, with another nonce.")


def _is_guarded(path: str) -> bool:
    return path == METRICS or path.startswith("/api/")


def _is_ours(path: str, scopes: frozenset[ClientScope]) -> bool:
    return any(path.startswith(start) and scope in scopes for start, scope in _OURS)


async def _body(request: Request) -> bytes:
    close = {"Connection": "close"}
    is_between_nodes = request.url.path.startswith(_BETWEEN_NODES)
    largest = LARGEST_HANDED_OVER if is_between_nodes else LARGEST_BODY
    try:
        return await read_body(request, largest)
    except BodyTooLargeError:
        limit = f"The body is larger than {largest} bytes."
        raise ProblemError(413, "body-too-large", limit, close) from None
    except BodyTooSlowError:
        raise ProblemError(408, "body-too-slow", "Send the body without pauses.", close) from None


def _target(scope: Scope) -> str:
    """Path and query as they came over the wire."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


def _joined(scope: Scope) -> dict[str, str]:
    """The header fields, the lines of each joined."""
    fields: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, line = name.decode("latin-1"), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {line}" if key in fields else line
    return fields


def _replay(body: bytes, receive: Receive) -> Receive:
    """What has been read, for the route to read again."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_quotas(scope: Scope, send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(quota_headers(scope["state"]["quotas"]))
        await send(message)

    return tell

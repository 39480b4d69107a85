"""Each request that would change something is written down before it is answered."""

import json
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Scope, Send

from app.web.clients import Admitted
from app.web.ledger import Entry, Ledger, LedgerError

log = structlog.get_logger()
_KIND: Final = "urn:portiere:problem:"
OK: Final = "ok"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class AuditLog:
    """Writes the audit of requests; what they changed is told by the entries of who changed it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def watch(self, scope: Scope, send: Send) -> Send:
        """``send``, which writes the entry between the answer's making and its going out."""
        if not changes(scope):
            return send
        start: Message | None = None

        async def tell(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                outcome = _outcome(start["status"], message.get("body", b""))
                await run_in_threadpool(self._write, scope, outcome)
                await send(start)
                start = None
            await send(message)

        return tell

    async def failed(self, scope: Scope) -> None:
        """The entry of a request that ends in an error of ours."""
        if "admitted" in scope["state"] and changes(scope):
            await run_in_threadpool(self._write, scope, "internal-error")

    def _write(self, scope: Scope, outcome: str) -> None:
        admitted: Admitted = scope["state"]["admitted"]
        # The route's template: what stands in a path may be anything.
        route = getattr(scope.get("route"), "path", "?")
        entry = Entry(
            client=admitted.caller.name,
            method=scope["method"],
            target=route,
            outcome=outcome,
            request_id=admitted.caller.request_id,
            address=admitted.caller.address,
        )
        try:
            self._ledger.record(entry)
        except LedgerError as error:
            # It is done already: that it isn't written down must not look as if it weren't.
            log.error("audit_failed", reason=str(error))


def changes(scope: Scope) -> bool:
    """Whether the request is of a kind that may change something."""
    return scope["method"] not in _SAFE


def _outcome(status: int, body: bytes) -> str:
    if status < 400:
        return OK
    try:
        return str(json.loads(body)["type"]).removeprefix(_KIND)
    except (ValueError, KeyError, TypeError):
        return str(status)

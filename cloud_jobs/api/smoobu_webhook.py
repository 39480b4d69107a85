"""``POST /webhooks/smoobu/{secret}``: Smoobu tells that something changed.

It doesn't sign and doesn't say whether it tries again, so the address is the secret, and
`cloud_jobs.jobs.smoobu_sync` finds what never came. A body says nothing that must be believed.
"""

import hmac
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.web.bodies import BodyTooLargeError, BodyTooSlowError, read_body
from app.web.problems import problem
from app.web.strict import NotStrictError, loads
from cloud_jobs.api.parts import Parts
from cloud_jobs.jobs.smoobu_changed import CHANGED
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.store.database import StoreUnavailable

log = structlog.get_logger()
PATH: Final = "/webhooks/smoobu/{secret}"
SOURCE: Final = "smoobu"
# A reservation with its price details has a few kilobytes.
LARGEST: Final = 256 * 1024


def smoobu_route(parts: Parts) -> Route:
    """The route; it is no part of the document, as it is for Smoobu alone."""
    wanted = parts.settings.smoobu_webhook_secret.get_secret_value().encode()

    async def heard(request: Request) -> Response:
        given = str(request.path_params["secret"]).encode()
        # Without a secret of ours there is no such address.
        if not (hmac.compare_digest(given, wanted) and wanted):
            return problem(404, "not-found", "There is nothing at this address.")
        try:
            body = await read_body(request, LARGEST)
        except BodyTooLargeError:
            return problem(
                413,
                "body-too-large",
                f"The body is larger than {LARGEST} bytes.",
                {"Connection": "close"},
            )
        except BodyTooSlowError:
            return problem(
                408, "body-too-slow", "Send the body without pauses.", {"Connection": "close"}
            )
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return await run_in_threadpool(_keep, parts, body)

    return Route(PATH, heard, methods=["POST"])


def _keep(parts: Parts, body: bytes) -> Response:
    told = _read(body)
    if told is None:
        # Nothing to find out by asking again, and nothing that we could use.
        log.warning("webhook_unreadable", source=SOURCE, bytes=len(body))
        return JSONResponse({"kept": False})
    now = datetime.now(UTC)
    event = Event(
        event_id=f"smoobu:{_digest(told)}",
        name=CHANGED,
        source=SOURCE,
        occurred_at=now,
        payload={"body": told},
    )
    try:
        with parts.store.writing(durable=True) as session:
            taken = take(
                session,
                event,
                seal=parts.seal,
                jobs=parts.jobs,
                zone=parts.settings.zone,
                now=now,
            )
    except StoreUnavailable as error:
        log.error("webhook_not_kept", source=SOURCE, error=type(error).__name__)
        retry = {"Retry-After": "5"}
        return problem(503, "not-accepted", "It could not be stored; send it again.", retry)
    parts.dispatch(taken.run_ids)
    return JSONResponse({"kept": True})


def _read(body: bytes) -> dict[str, Any] | None:
    """The body, if it is a JSON object that means one thing only."""
    try:
        told = loads(body)
    except NotStrictError:
        return None
    return told if isinstance(told, dict) else None


def _digest(told: dict[str, Any]) -> str:
    """Of what it says, however it is written: there is no id to know it by."""
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()

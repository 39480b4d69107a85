"""Spoki's own API, as strict as the contract: slash at the end, key in the header, fields checked.

The send path is kept plain (one parse, one check, no framework models), because benchmarks go
through it.
"""

import asyncio
import hmac
import json
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from app.providers.sandbox.drop import Dropped
from app.providers.sandbox.errors import ApiError
from app.providers.sandbox.faults import (
    DropAnswer,
    NoCredit,
    NoId,
    RateLimited,
    Refuse,
    ServerError,
    Slow,
)
from app.providers.sandbox.requests import Contact, Send, Subscription, parse, parse_send
from app.providers.sandbox.sandbox import Sandbox
from app.providers.sandbox.state import Message, SendCall, now_ms
from app.providers.sandbox.subscriptions import Hook
from app.providers.sandbox.templates import TEMPLATES

KEY_HEADER = "X-Spoki-Api-Key"
MAX_BODY = 1024 * 1024


async def sandbox_of(request: Request) -> Sandbox:
    """The sandbox that serves this request."""
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


async def _checked_key(request: Request) -> None:
    given = request.headers.get(KEY_HEADER)
    if not given:
        raise ApiError(401, {"detail": "Authentication credentials were not provided."})
    key = (await sandbox_of(request)).config.api_key.get_secret_value()
    # As bytes: a header may hold any byte, and compare_digest takes no non-ASCII text.
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise ApiError(403, {"detail": "Invalid API key."})


router = APIRouter(prefix="/api/1", dependencies=[Depends(_checked_key)])


@router.post("/messages/send/")
async def send(request: Request) -> Response:
    """Take a message to a guest; what becomes of it stands in ``GET /sandbox/sends``."""
    sandbox = await sandbox_of(request)
    source = request.client.host if request.client else None
    call = SendCall(now_ms(), await _raw(request), source=source)
    sandbox.state.sends.append(call)
    try:
        response = await _answer(sandbox, call, request)
    except ApiError as error:
        call.answer = error.status
        raise
    call.answer = "dropped" if isinstance(response, Dropped) else response.status_code
    return response


async def _answer(sandbox: Sandbox, call: SendCall, request: Request) -> Response:
    """The order is that of a request's way through: connection, limits, checks, acceptance."""
    faults = sandbox.faults
    if faults.take(Refuse):
        return Dropped()
    if limited := faults.take(RateLimited):
        raise _throttled(limited.retry_after)
    if broken := faults.take(ServerError):
        raise ApiError(broken.status, {"detail": "A server error occurred."})
    message_to_send = parse_send(_json(request, call.raw))
    _check_rate(sandbox, message_to_send)
    if faults.take(NoCredit):
        raise ApiError(400, {"error": "Not enough credit", "error_code": "spoki::1029"})
    if faults.take(NoId):
        return JSONResponse({"detail": "Message queued"})
    message = sandbox.accept(message_to_send, call)
    if slow := faults.take(Slow):
        await asyncio.sleep(slow.seconds)
    if faults.take(DropAnswer):
        return Dropped()
    return _accepted(message)


def _check_rate(sandbox: Sandbox, message: Send) -> None:
    if sandbox.settings.rate_limits == "off":
        return
    wait = sandbox.limits.take(message.type)
    if wait is not None:
        raise _throttled(wait)


def _throttled(seconds: int) -> ApiError:
    detail = f"Request was throttled. Expected available in {seconds} seconds."
    return ApiError(429, {"detail": detail}, {"Retry-After": str(seconds)})


def _accepted(message: Message) -> Response:
    answer = {"id": message.id, "uuid": message.uuid, "status": "Pending"}
    return JSONResponse(answer, status_code=201)


@router.get("/templates/")
async def templates(page: int = 1, page_size: int = 20) -> dict[str, Any]:
    """List the account's templates."""
    size = min(max(page_size, 1), 100)
    found = [template.as_json() for template in TEMPLATES.values()]
    start = (max(page, 1) - 1) * size
    more = start + size < len(found)
    following = f"/api/1/templates/?page={page + 1}&page_size={size}" if more else None
    return {"count": len(found), "next": following, "results": found[start : start + size]}


@router.post("/contacts/sync/")
async def sync_contact(request: Request) -> dict[str, Any]:
    """Create a contact, or update the one with this phone."""
    sandbox = await sandbox_of(request)
    given = parse(Contact, _json(request, await _raw(request)))
    known = sandbox.contacts.setdefault(
        given.phone, {"id": len(sandbox.contacts) + 1, "status": "Not Declared"}
    )
    known.update(given.model_dump(exclude_none=True))
    return known


@router.get("/external-webhooks/")
async def list_webhooks(request: Request) -> dict[str, Any]:
    """List the subscriptions, without their secrets."""
    hooks = (await sandbox_of(request)).hooks.all()
    return {"count": len(hooks), "next": None, "results": [hook.as_json() for hook in hooks]}


@router.post("/external-webhooks/", status_code=201)
async def create_webhook(request: Request) -> dict[str, Any]:
    """Subscribe; the answer carries the secret."""
    given = parse(Subscription, _json(request, await _raw(request)))
    hooks = (await sandbox_of(request)).hooks
    return hooks.create(given.event, given.url, active=given.is_active).as_json(with_secret=True)


@router.post("/external-webhooks/{hook_id}/rotate_secret/")
async def rotate_secret(hook_id: int, request: Request) -> dict[str, Any]:
    """Make a new secret; the answer carries it."""
    sandbox = await sandbox_of(request)
    hook = _hook(sandbox, hook_id)
    sandbox.hooks.rotate(hook)
    return hook.as_json(with_secret=True)


@router.post("/external-webhooks/{hook_id}/test/")
async def test_webhook(hook_id: int, request: Request) -> dict[str, str]:
    """Send a test event there."""
    sandbox = await sandbox_of(request)
    return {"event_uuid": sandbox.test_hook(_hook(sandbox, hook_id))}


def _hook(sandbox: Sandbox, hook_id: int) -> Hook:
    hook = sandbox.hooks.get(hook_id)
    if hook is None:
        raise ApiError(404, {"detail": "Not found."})
    return hook


async def _raw(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise ApiError(413, {"detail": "The body is larger than 1 MiB."})
    return await request.body()


def _json(request: Request, raw: bytes) -> object:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, {"detail": f'Unsupported media type "{kind}" in request.'})
    try:
        parsed: object = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, {"detail": f"JSON parse error - {error}"}) from None
    return parsed

"""The control API under ``/sandbox/``: what the phone page, the rehearsals and the tests use."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.providers.sandbox.config import SandboxSettings
from app.providers.sandbox.faults import KINDS, Faults
from app.providers.sandbox.ledger import ledger
from app.providers.sandbox.requests import Phone, parse
from app.providers.sandbox.spoki_api import sandbox_of
from app.providers.sandbox.state import Message, SendCall

router = APIRouter(prefix="/sandbox")

FaultName = Literal[
    "refuse",
    "slow",
    "rate_limited",
    "server_error",
    "no_credit",
    "no_id",
    "drop_answer",
    "no_echo",
    "undeliverable",
    "duplicates",
    "bad_signature",
]


class Written(BaseModel):
    """What a guest writes on the phone."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone
    text: str = Field(min_length=1, max_length=4096)
    name: str | None = Field(None, max_length=80)
    payload: str | None = Field(None, max_length=256)


class Photos(BaseModel):
    """Photos that a guest sends; several are an album."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone
    count: int = Field(1, ge=1, le=30)  # as many as WhatsApp lets anybody send at once
    caption: str = Field("", max_length=1024)
    name: str | None = Field(None, max_length=80)


class WrittenByPerson(BaseModel):
    """What somebody at the desk writes from Spoki's own inbox."""

    model_config = ConfigDict(extra="forbid")

    phone: Phone
    text: str = Field(min_length=1, max_length=4096)


@router.get("/status")
async def status(request: Request) -> dict[str, Any]:
    """Say what this sandbox is set to, without secrets, and how busy it is."""
    sandbox = await sandbox_of(request)
    return {
        "ready": True,
        "account_phone": sandbox.config.account_phone,
        "webhook_url": sandbox.config.webhook_url,
        "settings": sandbox.settings.model_dump(),
        "webhooks_waiting": sandbox.dispatcher.waiting,
        "messages": len(sandbox.state.messages()),
        "sends": len(sandbox.state.sends),
    }


@router.patch("/settings")
async def change_settings(
    request: Request, changes: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """Change the named settings and leave the others."""
    sandbox = await sandbox_of(request)
    sandbox.settings = parse(SandboxSettings, sandbox.settings.model_dump() | changes)
    return sandbox.settings.model_dump()


@router.post("/inbound", status_code=202)
async def inbound(request: Request, written: Written) -> dict[str, Any]:
    """Send a guest's message as a webhook."""
    sandbox = await sandbox_of(request)
    message = sandbox.write(written.phone, written.text, written.name, written.payload)
    return _sent(message)


@router.post("/photos", status_code=202)
async def photos(request: Request, given: Photos) -> dict[str, Any]:
    """Send a guest's photos, a webhook each."""
    sandbox = await sandbox_of(request)
    sent = sandbox.send_photos(given.phone, given.count, given.caption, given.name)
    return {"results": [_sent(message) for message in sent]}


@router.post("/desk", status_code=202)
async def desk(request: Request, written: WrittenByPerson) -> dict[str, Any]:
    """Write to a guest from Spoki's own inbox, as a person at the desk."""
    sandbox = await sandbox_of(request)
    return {"uuid": sandbox.write_by_person(written.phone, written.text).uuid}


@router.get("/messages")
async def messages(request: Request, phone: str | None = None) -> dict[str, Any]:
    """Return one guest's conversation, or every message, oldest first."""
    state = (await sandbox_of(request)).state
    found = state.messages() if phone is None else state.conversation(phone)
    return {"count": len(found), "results": [message.as_json() for message in found]}


@router.get("/sends")
async def sends(
    request: Request, accepted: Annotated[bool | None, Query()] = None
) -> dict[str, Any]:
    """Return every send call as it came, oldest first."""
    calls = (await sandbox_of(request)).state.sends
    found = [call for call in calls if accepted is None or call.accepted is accepted]
    return {"count": len(found), "results": [_shown(call) for call in found]}


@router.get("/ledger")
async def show_ledger(request: Request, since: float = 0) -> dict[str, Any]:
    """Return what guests wrote and what they were sent, from a moment on, in few words."""
    return ledger((await sandbox_of(request)).state, since)


@router.get("/faults")
async def faults(request: Request) -> Faults:
    """Return what is switched on, with the counts that are left."""
    return (await sandbox_of(request)).faults.snapshot()


@router.put("/faults")
async def put_faults(request: Request, given: Faults) -> Faults:
    """Switch on exactly these."""
    sandbox = await sandbox_of(request)
    sandbox.faults.put(given)
    sandbox.show_faults()
    return sandbox.faults.snapshot()


@router.delete("/faults")
async def clear_faults(request: Request) -> Faults:
    """Switch everything off."""
    sandbox = await sandbox_of(request)
    sandbox.faults.clear()
    sandbox.show_faults()
    return sandbox.faults.snapshot()


@router.put("/faults/{name}")
async def put_fault(
    request: Request, name: Annotated[FaultName, Path()], given: Annotated[dict[str, Any], Body()]
) -> Faults:
    """Switch one on, or set it anew."""
    sandbox = await sandbox_of(request)
    sandbox.faults.put_one(parse(KINDS[name], given))
    sandbox.show_faults()
    return sandbox.faults.snapshot()


@router.delete("/faults/{name}")
async def clear_fault(request: Request, name: Annotated[FaultName, Path()]) -> Faults:
    """Switch one off."""
    sandbox = await sandbox_of(request)
    sandbox.faults.drop(KINDS[name])
    sandbox.show_faults()
    return sandbox.faults.snapshot()


@router.post("/reset", status_code=204)
async def reset(request: Request) -> None:
    """Forget everything and switch everything off."""
    await (await sandbox_of(request)).reset()


@router.get("/events", response_class=EventSourceResponse)
async def events(request: Request) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens, for the phone page."""
    async for name, data in (await sandbox_of(request)).feed.listen():
        yield ServerSentEvent(event=name, data=data)


def _sent(message: Message) -> dict[str, Any]:
    return {
        "uuid": message.uuid,
        "event_uuids": [report.event_uuid for report in message.reports],
    }


def _shown(call: SendCall) -> dict[str, Any]:
    raw = call.raw.decode(errors="replace")
    return {
        "received_at": call.received_at,
        "raw": raw,
        "body": _parsed(raw),
        "answer": call.answer,
        "accepted": call.accepted,
        "message_uuid": call.message_uuid,
        "source": call.source,
    }


def _parsed(raw: str) -> object:
    try:
        parsed: object = json.loads(raw)
    except ValueError:
        return None
    return parsed

"""What the desk is offered when it asks, and when it is kept waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.sealing import SealError
from cloud_jobs.api.listening import LOOK, Listening
from cloud_jobs.api.parts import Parts
from cloud_jobs.exchange import commands
from cloud_jobs.store.exchange import Command

log = structlog.get_logger()
# In one answer: commands, and bytes of their payloads. The desk reads no more than a few megabytes.
MOST: Final = 100
MOST_BYTES: Final = 1_000_000
# What was offered is under way: it is told of again after this, to who is willing to wait. What
# was offered into a broken connection comes by that, too.
AGAIN: Final = timedelta(seconds=5)


class Offer(BaseModel):
    """One command. The desk does it once, however often it is offered."""

    id: str
    idempotency_key: str
    name: str
    payload: dict[str, Any]
    issued_at: datetime


class Offers(BaseModel):
    """The commands that the desk has not told of, the oldest first."""

    commands: list[Offer] = Field(max_length=MOST)


class Offering:
    """Answers the long poll of one node."""

    def __init__(
        self, parts: Parts, listening: Listening, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._parts = parts
        self._listening = listening
        self._clock = clock
        self._offered_at: dict[str, float] = {}
        self._asked_at: float | None = None

    async def wait(self, wait: timedelta, is_gone: Callable[[], Awaitable[bool]]) -> Offers:
        """What there is: at once if some of it is new, else after ``wait`` or when some comes.

        ``is_gone``: whether nobody waits for the answer any more.
        """
        self._asked_at = self._clock()
        end = self._asked_at + wait.total_seconds()
        async with self._listening.heard() as rung:
            while True:
                rung.clear()
                found = await run_in_threadpool(self._open)
                left = end - self._clock()
                if await is_gone():
                    return Offers(commands=[])  # or it would count as offered
                if left <= 0 or self._listening.is_over or self._some_is_due(found):
                    break
                await _either(rung, min(left, LOOK.total_seconds()))
        return await run_in_threadpool(self._offer, found)

    def seconds_since_asked(self) -> float | None:
        """Since the node asked last; None if it has not, since this process began."""
        return None if self._asked_at is None else self._clock() - self._asked_at

    def _open(self) -> Sequence[Command]:
        with self._parts.store.reading() as session:
            return commands.offered(session, MOST)

    def _some_is_due(self, found: Sequence[Command]) -> bool:
        due = self._clock() - AGAIN.total_seconds()
        return any(self._offered_at.get(one.command_id, due) <= due for one in found)

    def _offer(self, found: Sequence[Command]) -> Offers:
        offers: list[Offer] = []
        room = MOST_BYTES
        now = self._clock()
        open_ids = {command.command_id for command in found}
        self._offered_at = {
            command_id: at for command_id, at in self._offered_at.items() if command_id in open_ids
        }
        for command in found:
            room -= len(command.payload)
            if offers and room < 0:
                break
            self._offered_at[command.command_id] = now
            if (offer := self._opened(command)) is not None:
                offers.append(offer)
        return Offers(commands=offers)

    def _opened(self, command: Command) -> Offer | None:
        try:
            payload = commands.payload_of(self._parts.seal, command)
        except SealError as error:
            # A key is missing; once it is there again, the command is offered.
            log.error("command_sealed", command_id=command.command_id, reason=str(error))
            return None
        return Offer(
            id=command.command_id,
            idempotency_key=command.command_id,
            name=command.name,
            payload=payload,
            issued_at=command.issued_at,
        )


async def _either(rung: asyncio.Event, seconds: float) -> None:
    """Until it rings, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return

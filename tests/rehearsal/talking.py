"""Guests who talk all the while, by numbered messages whose replies can be told apart.

``python -m tests.rehearsal.talking …`` writes as so many invented guests at a steady pace: half of
them at the sandbox's phone, whose webhooks come as Spoki's do, and half straight to the public
door, posted again until it is taken. Each message and each acceptance is a line of the record.
SIGTERM ends the talking; what is on its way is then still posted for a while.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import httpx

from app.providers import spoki_signature
from app.providers.sandbox.dispatch import waits
from tests.support.events import encode, inbound

SECRET_VARIABLE: Final = "TALKING_SECRET"
MOST_MESSAGES: Final = 15_000  # the sandbox remembers 20,000
LONGEST_SECONDS: Final = 3600.0
# How long after the end of the talk a message that no door took is still posted.
LINGER_SECONDS: Final = 120.0
# As Spoki's sandbox: before the first time again; and how long a door may take to answer.
_AGAIN: Final = 0.5
_TIMEOUT: Final = httpx.Timeout(10.0)


@dataclass(frozen=True)
class Plan:
    """Who talks to whom. ``rate``: messages a second; ``host``: the name that the door goes by."""

    sandbox: str
    door: str
    host: str | None
    secret: str = field(repr=False)
    rate: float
    guests: int
    seconds: float
    count: int


@dataclass
class Talker:
    """What a talk has open."""

    plan: Plan
    record: TextIO
    client: httpx.AsyncClient
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    over_at: float = float("inf")

    def note(self, **line: Any) -> None:
        """Write a line of the record; it is there even if this program is killed."""
        self.record.write(f"{json.dumps(line)}\n")
        self.record.flush()


def phone_of(guest: int) -> str:
    """The number of the so-maniest guest; nobody has it."""
    return f"+39000{9_000_000 + guest}"


def text_of(number: int) -> str:
    """What is asked in the so-maniest message."""
    return f"Messaggio {number:06d}: a che ora è la colazione?"


async def talk(plan: Plan, record: TextIO) -> None:
    """Talk until the plan is done or SIGTERM comes, and wait for what is on its way."""
    # None waits for another's connection: a door that hangs would keep the others from being asked.
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=_TIMEOUT, limits=limits, trust_env=False) as client:
        talker = Talker(plan, record, client)
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(ending, talker.stopping.set)
        async with asyncio.TaskGroup() as sending:
            async for number in _paced(talker):
                sending.create_task(_say(talker, number))
            talker.over_at = time.monotonic() + LINGER_SECONDS
            talker.stopping.set()
            talker.note(stopped_at=time.time())


async def _paced(talker: Talker) -> AsyncIterator[int]:
    """The messages' numbers, each at its time."""
    plan, began = talker.plan, time.monotonic()
    for number in _numbers(plan):
        wait = began + number / plan.rate - time.monotonic()
        if await _stops(talker.stopping, wait):
            return
        yield number


def _numbers(plan: Plan) -> Iterator[int]:
    last = min(plan.count, MOST_MESSAGES, int(min(plan.seconds, LONGEST_SECONDS) * plan.rate))
    return iter(range(last))


async def _stops(stopping: asyncio.Event, seconds: float) -> bool:
    """Whether the talk is ended within ``seconds``."""
    try:
        await asyncio.wait_for(stopping.wait(), max(seconds, 0.001))
    except TimeoutError:
        return False
    return True


async def _say(talker: Talker, number: int) -> None:
    guest = number % talker.plan.guests
    # A guest keeps to one way: Spoki posts in order what comes from one phone.
    if guest % 2:
        await _post(talker, number, phone_of(guest))
    else:
        await _write(talker, number, phone_of(guest))


async def _write(talker: Talker, number: int, phone: str) -> None:
    """Write at the sandbox's phone; when its webhook is taken stands in the sandbox's ledger."""
    written = {"phone": phone, "text": text_of(number)}
    at = time.time()
    try:
        answer = await talker.client.post(f"{talker.plan.sandbox}/sandbox/inbound", json=written)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        talker.note(number=number, unwritten=type(error).__name__)
        return
    talker.note(number=number, key=f"reply-{answer.json()['uuid']}", at=at, way="provider")


async def _post(talker: Talker, number: int, phone: str) -> None:
    """Post at the public door, again and again until it is taken or the talk is long over."""
    event = inbound(text_of(number), phone)
    key, body = f"reply-{event['data']['uuid']}", encode(event)
    talker.note(number=number, key=key, at=time.time(), way="door")
    for attempt, wait in zip(itertools.count(1), waits(_AGAIN), strict=False):
        answer = await _attempt(talker, body)
        if answer == "200":
            talker.note(key=key, accepted_at=time.time(), attempts=attempt)
            return
        if time.monotonic() + wait > talker.over_at:
            talker.note(key=key, gave_up=answer, attempts=attempt)
            return
        await asyncio.sleep(wait)


async def _attempt(talker: Talker, body: bytes) -> str:
    """Post once. Returns the HTTP status, or what went wrong."""
    plan = talker.plan
    signature = spoki_signature.sign(plan.secret, int(time.time()), body)
    headers = {"Content-Type": "application/json", spoki_signature.HEADER: signature}
    if plan.host:
        headers["Host"] = plan.host
    try:
        answer = await talker.client.post(plan.door, content=body, headers=headers)
    except httpx.HTTPError as error:
        return type(error).__name__
    return str(answer.status_code)


def main() -> None:
    """Read the arguments; the webhooks' secret comes by the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True, help="the sandbox's address")
    parser.add_argument("--door", required=True, help="where webhooks are posted to")
    parser.add_argument("--host", help="the public name, where the door's address has another")
    parser.add_argument("--rate", type=float, default=10.0, help="messages a second")
    parser.add_argument("--guests", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS)
    parser.add_argument("--count", type=int, default=MOST_MESSAGES)
    parser.add_argument("--record", type=Path, required=True, help="a file, appended to")
    given = vars(parser.parse_args())
    record = given.pop("record")
    plan = Plan(**given, secret=os.environ[SECRET_VARIABLE])
    with record.open("a") as file:
        asyncio.run(talk(plan, file))


if __name__ == "__main__":
    main()

"""Posts the webhooks: signed, in order for each phone, again until they are taken.

The schedule of redelivery is a plain one, as Spoki documents none: ``redelivery_first`` seconds
after the first failure, doubled each time up to 10 s, given up after 15 minutes. Every attempt is
signed afresh, because receivers refuse signatures older than 300 s.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import structlog

from app.providers.sandbox.config import SandboxConfig
from app.providers.sandbox.faults import BadSignature, Duplicates, FaultBoard
from app.providers.sandbox.state import Report, now_ms
from app.providers.sandbox.subscriptions import Hook
from app.providers.spoki_signature import HEADER, sign

MAX_WAIT = 10.0
GIVE_UP_AFTER = 15 * 60.0
# A receiver commits before it answers, which takes milliseconds; ten seconds is a dead one.
TIMEOUT = httpx.Timeout(10.0)
# So many posts at once, each by a client with one connection: httpcore's pool looks through all its
# connections for every request, which costs 2 ms of CPU a post with 16 of them and 1 ms with one.
AT_ONCE = 16

log = structlog.get_logger()


@dataclass(slots=True)
class Delivery:
    """One webhook on its way to one subscription."""

    key: str
    hook: Hook
    body: bytes
    report: Report
    changed: Callable[[], None]


class Dispatcher:
    """A queue for each phone, each worked off by a task of its own while it holds anything."""

    def __init__(self, config: SandboxConfig, faults: FaultBoard) -> None:
        self._config = config
        self._faults = faults
        self._queues: dict[str, deque[Delivery]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tls = httpx.create_ssl_context()
        self._open_clients()

    @property
    def waiting(self) -> int:
        """Webhooks that are not yet taken."""
        return sum(map(len, self._queues.values()))

    def put(self, delivery: Delivery) -> None:
        """Queue a webhook behind those of the same phone."""
        key = delivery.key
        if key in self._queues:
            self._queues[key].append(delivery)
            return
        self._queues[key] = deque([delivery])
        self._tasks[key] = asyncio.create_task(self._work_off(key))

    async def forget(self) -> None:
        """Drop whatever is on its way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._queues.clear()
        self._tasks.clear()
        # A client whose request was cancelled may keep its only connection taken for ever.
        await self._close_clients()
        self._open_clients()

    async def close(self) -> None:
        """Drop whatever is on its way and close the connections."""
        await self.forget()
        await self._close_clients()

    def _open_clients(self) -> None:
        self._clients = [_client(self._tls) for _ in range(AT_ONCE)]
        # Last in, first out: a connection that is warm is used before one that is not.
        self._idle: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        for client in self._clients:
            self._idle.put_nowait(client)

    async def _close_clients(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def _work_off(self, key: str) -> None:
        queue = self._queues[key]
        while queue:
            await self._deliver(queue[0])
            queue.popleft()
        del self._queues[key], self._tasks[key]

    async def _deliver(self, delivery: Delivery) -> None:
        report = delivery.report
        duplicates = self._faults.take(Duplicates)
        copies = duplicates.copies if duplicates else 1
        give_up_at = time.monotonic() + GIVE_UP_AFTER
        for wait in waits(self._config.redelivery_first):
            if await self._attempt(delivery, copies):
                report.state = "delivered"
                delivery.changed()
                return
            log.warning(
                "webhook_not_taken",
                event_uuid=report.event_uuid,
                answer=report.last_answer,
                attempt=report.attempts,
            )
            delivery.changed()
            if time.monotonic() + wait > give_up_at:
                break
            await asyncio.sleep(wait)
        report.state = "gave_up"
        delivery.changed()

    async def _attempt(self, delivery: Delivery, copies: int) -> bool:
        """Post all copies at once; taken means that each was answered with 2xx."""
        report = delivery.report
        report.attempts += 1
        answers = await asyncio.gather(*(self._post(delivery) for _ in range(copies)))
        refused = [answer for answer in answers if not answer.startswith("2")]
        report.answered_at = None if refused else now_ms()
        report.last_answer = refused[0] if refused else answers[0]
        return not refused

    async def _post(self, delivery: Delivery) -> str:
        """Post once, when a client is free. Returns the HTTP status, or what went wrong."""
        client = await self._idle.get()
        try:
            # Only now: time spent waiting here is not the receiver's.
            if delivery.report.posted_at is None:
                delivery.report.posted_at = now_ms()
            headers = self._headers(delivery)
            answer = await client.post(delivery.hook.url, content=delivery.body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        finally:
            self._idle.put_nowait(client)
        return str(answer.status_code)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        wrong = self._faults.take(BadSignature)
        secret = f"not {delivery.hook.secret}" if wrong else delivery.hook.secret
        return {
            "Content-Type": "application/json",
            "X-SPOKI-ACCOUNT": self._config.account_phone,
            HEADER: sign(secret, int(time.time()), delivery.body),
        }


def _client(tls: ssl.SSLContext) -> httpx.AsyncClient:
    # trust_env: a proxy of the shell's has no business between two local processes.
    limits = httpx.Limits(max_connections=1)
    return httpx.AsyncClient(timeout=TIMEOUT, limits=limits, verify=tls, trust_env=False)


def waits(first: float) -> Iterator[float]:
    """Seconds before each redelivery, without end."""
    wait = first
    while True:
        yield min(wait, MAX_WAIT)
        wait = min(wait * 2, MAX_WAIT)

"""From a webhook's arrival to the send call at Spoki, on loopback.

Run: ``python -m tests.bench.latency``. The send is timed at the sandbox, when its request arrives;
both clocks are this machine's. Twice without the provider's reports, as the seed was measured, and
once with the three of each message coming back meanwhile, as in life.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx

from tests.bench.client import Connection, rendered
from tests.bench.machine import describe, stalls
from tests.support.events import inbound
from tests.support.processes import Stack, eventually, stack

STEADY_MESSAGES, STEADY_PER_SECOND = 500, 50
IDLE_MESSAGES, IDLE_GAP = 30, 2.0
WARM_UP_MESSAGES = 50
CONNECTIONS = 8
QUESTIONS = (
    "Buongiorno, a che ora posso fare il check-in?",
    "What's the wifi password please?",
    "Wo kann ich parken?",
    "À quelle heure est le petit-déjeuner ?",
    "¿Hasta qué hora puedo hacer el check-out?",
)
# The seed's stack (Express, better-sqlite3, BullMQ) on a machine of 2 cores: p50, p99 in ms.
SEED_STEADY = (4.7, 15.0)
SEED_IDLE = (6.8, 14.0)
GOAL = (10.0, 30.0)


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of ``values`` don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _messages(port: int, first: int, count: int, gap: float) -> dict[str, float]:
    """Post ``count`` messages, one each ``gap`` seconds; when each was posted (ms), by its key."""
    events = [
        inbound(QUESTIONS[number % len(QUESTIONS)], f"+39000{first + number:07d}")
        for number in range(count)
    ]
    requests = [rendered(event) for event in events]
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection.open(port))
    posted: dict[str, float] = {}

    async def post(number: int) -> None:
        connection = await free.get()
        posted[f"reply-{events[number]['data']['uuid']}"] = time.time() * 1000
        await connection.post(requests[number])
        free.put_nowait(connection)

    start = time.perf_counter()
    tasks = []
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number * gap - time.perf_counter()))
        tasks.append(asyncio.create_task(post(number)))
    await asyncio.gather(*tasks)
    while not free.empty():
        await free.get_nowait().close()
    return posted


def measure(running: Stack, first: int, count: int, gap: float) -> list[float]:
    """Milliseconds from each webhook to its send."""
    posted = asyncio.run(_messages(running.gateway_port, first, count, gap))

    def received() -> dict[str, float] | None:
        calls = httpx.get(f"{running.sandbox_url}/sandbox/sends").json()["results"]
        at = {call["body"]["metadata"]["correlation_id"]: call["received_at"] for call in calls}
        return at if posted.keys() <= at.keys() else None

    at = eventually(received, "every message is answered")
    return [at[key] - since for key, since in posted.items()]


def show(name: str, values: list[float], seed: tuple[float, float]) -> None:
    """Print the distribution, and whether it meets the goal."""
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    met = p50 < GOAL[0] and p99 < GOAL[1]
    print(
        f"webhook to send, {name}: n={len(values)} p50 {p50:.1f} ms ({p50 / seed[0]:.2f} x the "
        f"seed's), p99 {p99:.1f} ms ({p99 / seed[1]:.2f} x), max {max(values):.1f} ms; "
        f"goal p50 < {GOAL[0]:.0f}, p99 < {GOAL[1]:.0f}: {'met' if met else 'MISSED'}"
    )


def _reports(running: Stack, wanted: str) -> None:
    settings = {"outbound_webhooks": wanted}
    httpx.patch(f"{running.sandbox_url}/sandbox/settings", json=settings).raise_for_status()


def _measured(
    name: str, running: Stack, load: tuple[int, int, float], seed: tuple[float, float]
) -> None:
    with stalls() as noise:
        values = measure(running, *load)
    show(name, values, seed)
    print(f"  meanwhile {noise[0]}")


def main() -> None:
    """Print the distributions."""
    print(describe())
    gap = 1 / STEADY_PER_SECOND
    with tempfile.TemporaryDirectory() as directory, stack(Path(directory)) as running:
        running.start_sandbox()
        running.start_gateway()
        running.start_worker()
        measure(running, 0, WARM_UP_MESSAGES, gap)
        _reports(running, "off")
        _measured("at 50/s", running, (1000, STEADY_MESSAGES, gap), SEED_STEADY)
        _measured("idle", running, (2000, IDLE_MESSAGES, IDLE_GAP), SEED_IDLE)
        _reports(running, "on")
        lively = "at 50/s with 150 reports/s"
        _measured(lively, running, (3000, STEADY_MESSAGES, gap), SEED_STEADY)


if __name__ == "__main__":
    main()

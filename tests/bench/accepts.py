"""Durable accepts a second: signature, dedupe, commit; one gateway process, the worker off.

Run: ``python -m tests.bench.accepts``. Requests are rendered beforehand.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from app.store.database import Database
from tests.bench.client import Connection, rendered
from tests.bench.machine import describe
from tests.support.events import inbound
from tests.support.processes import Stack, stack

REQUESTS = 10_000
CONNECTIONS = 32
RUNS = 3
# The seed's stack (Express, better-sqlite3, BullMQ) on a machine of 2 cores, its worker off.
SEED_PER_SECOND = 2054
GOAL_PER_SECOND = 2000


async def _share(port: int, requests: list[bytes]) -> None:
    connection = await Connection.open(port)
    for request in requests:
        await connection.post(request)
    await connection.close()


async def _flood(port: int, requests: list[bytes]) -> float:
    start = time.perf_counter()
    await asyncio.gather(*(_share(port, requests[i::CONNECTIONS]) for i in range(CONNECTIONS)))
    return time.perf_counter() - start


def one_run(gateway: Stack) -> float:
    """Accepts a second over one flood, each on the disk when it was answered."""
    requests = [
        rendered(inbound(f"A che ora è la colazione? {number}", f"+39000{number % 500:07d}"))
        for number in range(REQUESTS)
    ]
    return REQUESTS / asyncio.run(_flood(gateway.gateway_port, requests))


def main() -> None:
    """Print the rates and the seed's beside them."""
    print(describe())
    rates = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory, stack(Path(directory)) as gateway:
            gateway.start_gateway()
            rates.append(one_run(gateway))
            rows = Database(gateway.database).one("SELECT count(*) AS n FROM inbox")
            if rows is None or rows["n"] != REQUESTS:
                raise SystemExit("accepted events are missing from the inbox")
    rates.sort()
    middle = rates[len(rates) // 2]
    print(f"durable accepts: {', '.join(f'{rate:.0f}' for rate in rates)} a second")
    print(
        f"median {middle:.0f}/s, {middle / SEED_PER_SECOND:.2f} x the seed's {SEED_PER_SECOND}/s; "
        f"goal {GOAL_PER_SECOND}/s: {'met' if middle >= GOAL_PER_SECOND else 'MISSED'}"
    )


if __name__ == "__main__":
    main()

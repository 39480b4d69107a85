"""How long a door takes to say 200: alone, with a mirror, and at the standby's.

Run: ``python -m tests.bench.doors``. One request at a time, as a guest's message comes, then eight
at once. What counts is the ratio to a node that leads alone on the same machine: the two gateways,
two Redises and this client share its cores.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench.client import Connection, rendered
from tests.bench.machine import describe
from tests.support.events import inbound
from tests.support.processes import stack
from tests.support.two_nodes import two_nodes

WARM_UP = 100
REQUESTS = 1000
AT_ONCE = (1, 8)


async def _post(port: int, requests: list[bytes]) -> list[float]:
    connection = await Connection.open(port)
    took = []
    for request in requests:
        began = time.perf_counter()
        await connection.post(request)
        took.append(time.perf_counter() - began)
    await connection.close()
    return took


async def _all(port: int, requests: list[bytes], connections: int) -> list[float]:
    shares = [requests[i::connections] for i in range(connections)]
    found = await asyncio.gather(*(_post(port, share) for share in shares))
    return sorted(second for share in found for second in share)


def measure(port: int, connections: int) -> tuple[float, float]:
    """The median and the 99th percentile, in seconds."""
    requests = [
        rendered(inbound(f"A che ora è la colazione? {number}", f"+39000{number % 500:07d}"))
        for number in range(WARM_UP + REQUESTS)
    ]
    asyncio.run(_all(port, requests[:WARM_UP], connections))
    took = asyncio.run(_all(port, requests[WARM_UP:], connections))
    return took[len(took) // 2], took[int(len(took) * 0.99)]


def main() -> None:
    """Print all of them, and their ratios to a node alone."""
    print(describe())
    found: dict[tuple[str, int], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as directory, stack(Path(directory)) as alone:
        alone.start_gateway()
        for at_once in AT_ONCE:
            found["alone", at_once] = measure(alone.gateway_port, at_once)
    with tempfile.TemporaryDirectory() as directory, two_nodes(Path(directory)) as pair:
        pair.start()
        for at_once in AT_ONCE:
            found["mirrored", at_once] = measure(pair.mac.stack.gateway_port, at_once)
            found["standby's", at_once] = measure(pair.vps.stack.gateway_port, at_once)
        if pair.mac.metric("portiere_accepted_alone_total") or pair.vps.spool.count():
            raise SystemExit("not all of it was on both: the numbers are of something else")
        pair.vps.stack.gateway.kill()
        for at_once in AT_ONCE:
            found["other is down", at_once] = measure(pair.mac.stack.gateway_port, at_once)
    for (door, at_once), (median, late) in found.items():
        base = found["alone", at_once]
        print(
            f"{door:14} {at_once} at once: p50 {median * 1000:6.2f} ms ({median / base[0]:.2f} x), "
            f"p99 {late * 1000:6.2f} ms ({late / base[1]:.2f} x)"
        )


if __name__ == "__main__":
    main()

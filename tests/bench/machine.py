"""What the machine is like at this moment, so that a number can be read later."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

ROUNDS = 200
# A process that only sleeps 2 ms at a time and sees how much later it is woken: what the machine
# does to everybody, whatever they do.
STALL_METER = """
import sys, time, threading, json
over, ended = [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    since = time.perf_counter()
    time.sleep(0.002)
    late = (time.perf_counter() - since) * 1000 - 2
    if late > 10:
        over.append(late)
print(json.dumps(over))
"""


def _busy_loop_ms() -> float:
    start = time.perf_counter()
    sum(range(200_000))
    return (time.perf_counter() - start) * 1000


def _fsync_ms(file_descriptor: int) -> float:
    os.pwrite(file_descriptor, b"x" * 4096, 0)
    start = time.perf_counter()
    os.fsync(file_descriptor)
    return (time.perf_counter() - start) * 1000


def _spread(samples: list[float]) -> str:
    ordered = sorted(samples)
    return f"p50 {ordered[len(ordered) // 2]:.2f}, p99 {ordered[int(len(ordered) * 0.99)]:.2f} ms"


@contextmanager
def stalls() -> Iterator[list[str]]:
    """Watch the machine meanwhile; afterwards the list holds a line about its own stalls."""
    line: list[str] = []
    command = [sys.executable, "-c", STALL_METER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as meter:
        yield line
        late: list[float] = json.loads(meter.communicate()[0])
    longest = f", the longest {max(late):.0f} ms" if late else ""
    line.append(f"the machine itself stalled {len(late)} times for more than 10 ms{longest}")


def describe() -> str:
    """Cores, load, and how a fixed piece of work and an fsync vary: the noise of the machine."""
    with NamedTemporaryFile(dir=Path.cwd()) as file:
        fsyncs = [_fsync_ms(file.fileno()) for _ in range(ROUNDS)]
    loops = [_busy_loop_ms() for _ in range(ROUNDS)]
    return (
        f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}; "
        f"fixed work {_spread(loops)}; fsync {_spread(fsyncs)}"
    )

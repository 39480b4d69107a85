"""How long the cloud's API takes with 50,000 runs in the store, and how much memory it has.

Run: ``python -m tests.bench.cloud_api``. The real `portiere cloud api` over SQLite, asked over one
connection with signed requests; the runs are those of `tests.bench.cloud_queue`.
"""

import base64
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from sqlalchemy import update

from app.signing import SignedAuth
from cloud_jobs.jobs.delete_old import delete_old
from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.store.runs import Run
from tests.bench.cloud_queue import GOAL_MS, RUNS, fill, nothing
from tests.bench.machine import describe
from tests.support.cloud_layer import Layer
from tests.support.cloud_processes import Cloud, cloud
from tests.support.processes import PORTIERE, Process, eventually, free_port

CLIENT, KEY = "mac", b"n" * 32
TIMES = 21
SCOPES = ["commands", "events", "jobs", "queues", "metrics"]


def measured(what: str, ask: Callable[[], httpx.Response]) -> None:
    """Print how long it takes."""
    took = []
    for _ in range(TIMES):
        start = time.perf_counter()
        answer = ask()
        took.append((time.perf_counter() - start) * 1000)
        assert answer.status_code < 300, answer.text
    middle = statistics.median(took)
    verdict = "" if middle < GOAL_MS else f"  MISSED: {GOAL_MS} ms"
    print(f"{what}: median {middle:.1f} ms, longest {max(took):.1f} ms{verdict}")


def memory(process: Process) -> str:
    """What the process has of its own, and its share of what it shares with others (Linux)."""
    rollup = Path(f"/proc/{process.popen.pid}/smaps_rollup").read_text()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return f"PSS {kilobytes['Pss'] / 1024:.0f} MB, RSS {kilobytes['Rss'] / 1024:.0f} MB"


def ask_all(client: httpx.Client) -> None:
    """Everything that people and programs ask for."""

    def replay(limit: int) -> httpx.Response:
        return client.post("/api/replay", json={"state": "failed", "limit": limit})

    days = {"since": "2026-10-01", "until": "2026-12-31"}
    asked = {
        "GET /api/runs": lambda: client.get("/api/runs"),
        "GET /api/runs?state=failed": lambda: client.get("/api/runs", params={"state": "failed"}),
        "GET /api/runs?limit=500": lambda: client.get("/api/runs", params={"limit": 500}),
        "GET /api/stats, a week": lambda: client.get("/api/stats"),
        "GET /api/stats, 60 days": lambda: client.get("/api/stats", params=days),
        "POST /api/replay, 1": lambda: replay(1),
        "POST /api/replay, 100": lambda: replay(100),
        "GET /api/schedules": lambda: client.get("/api/schedules"),
        "GET /metrics": lambda: client.get("/metrics"),
        "GET /api/commands?wait=0": lambda: client.get("/api/commands", params={"wait": 0}),
    }
    for what, ask in asked.items():
        measured(what, ask)


def filled(found: Cloud) -> None:
    """50,000 runs, in the store that the process has; of a job that there is every tenth."""
    runner = Runner(found.settings, found.store, found.seal, Jobs())
    fill(Layer(found.settings, found.store, found.seal, Jobs(), runner, str))
    with found.store.engine.begin() as connection:
        connection.execute(update(Run).where(Run.job == nothing.name).values(job=delete_old.name))


def main() -> None:
    """Print both."""
    print(describe())
    bind = f"127.0.0.1:{free_port()}"
    clients = {CLIENT: {"keys": [base64.b64encode(KEY).decode()], "scopes": SCOPES}}
    overrides = {
        "PORTIERE_CLOUD_BIND": bind,
        "PORTIERE_API_CLIENTS": json.dumps(clients),
        "PORTIERE_REQUESTS_PER_MINUTE": "1000000",
    }
    with tempfile.TemporaryDirectory() as directory, cloud(Path(directory), **overrides) as found:
        process = Process([PORTIERE, "cloud", "api"], found.env, Path(directory) / "api.log")
        process.start()
        url = f"http://{bind}"
        eventually(lambda: "api_ready" in process.log.read_text(), "the API is ready")
        with httpx.Client(base_url=url, auth=SignedAuth(CLIENT, KEY), timeout=30) as client:
            eventually(lambda: _answers(client), "the API answers")
            print(f"the process, idle: {memory(process)}")
            filled(found)
            print(f"with {RUNS} runs in the store:")
            ask_all(client)
            print(f"the process, afterwards: {memory(process)}")
        process.stop()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()

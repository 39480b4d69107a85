"""The cloud layer's scheduler and workers as real processes, with jobs that a test can count.

``python -m tests.support.cloud_processes schedule|work`` is one of them; `cloud()` starts any.
"""

import base64
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import func, select

from app import logs
from app.sealing import Seal
from cloud_jobs import settings as configuration
from cloud_jobs.processes import scheduler, worker
from cloud_jobs.runtime.broker import Dispatcher, make_broker
from cloud_jobs.runtime.events import Event, take
from cloud_jobs.runtime.job import Every, Job, Jobs, Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.runs import Run
from cloud_jobs.store.schema import migrate
from tests.support.processes import Process, eventually, redis_server, start_and_wait

SECOND = timedelta(seconds=1)


class Letter(Payload):
    """What the post brings."""

    number: int


@job("heartbeat", Every(SECOND), queue=Queue.UPKEEP, payload=Nothing)
def heartbeat(run: RunContext, _: Nothing) -> None:
    """Ticks whatever is paused."""
    run.log("beat")


@job("watch", Every(SECOND), queue=Queue.WATCH, payload=Nothing)
def watch(run: RunContext, _: Nothing) -> None:
    """Ticks unless it is paused."""
    run.log("watched")


@job("letter", On("letter.came"), queue=Queue.INTAKE, payload=Letter)
def letter(run: RunContext, came: Letter) -> dict[str, int]:
    """Works on what is told."""
    run.command("tell", "SEND_MESSAGE", {"text": f"letter {came.number}"})
    return {"number": came.number}


def jobs() -> Jobs:
    """All of these."""
    made = Jobs()
    for one in (heartbeat, watch, letter):
        made.add(one)
    return made


@dataclass
class Cloud:
    """One store, one Redis, and as many processes as a test starts."""

    directory: Path
    redis: Process
    redis_url: str
    overrides: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        url = self.overrides.get("PORTIERE_STORE_URL", f"sqlite:///{self.directory / 'cloud.db'}")
        self.env = {
            "PORTIERE_STORE_URL": url,
            "PORTIERE_REDIS_URL": self.redis_url,
            "PORTIERE_SEAL_KEYS": f"k1:{base64.b64encode(b's' * 32).decode()}",
            "PORTIERE_RELAY_INTERVAL": "0.2",
            "PORTIERE_RUN_LEASE": "2",
            "PORTIERE_WORKER_THREADS": "2",
            **self.overrides,
        }
        given: dict[str, Any] = {
            key.removeprefix("PORTIERE_").lower(): value for key, value in self.env.items()
        }
        self.settings = CloudSettings(_env_file=None, **given)
        self.store = Store(url)
        self.seal = Seal(self.settings.seal_key_bytes, b"")
        migrate(self.store)

    def start(self, kind: str, *, program: tuple[str, ...] = ()) -> Process:
        """Start one more: ``schedule`` or ``work``; waits until it says that it is ready."""
        command = program or (sys.executable, "-m", "tests.support.cloud_processes", kind)
        log = self.directory / f"{kind}-{len(self.processes)}.log"
        process = Process(list(command), self.env, log)
        self.processes.append(process)
        start_and_wait(process, "scheduler_ready" if kind == "schedule" else f"{kind}er_ready")
        return process

    def tell(self, count: int, *, dispatch: bool) -> list[str]:
        """That many letters come; the runs that they start."""
        now = datetime.now(UTC)
        run_ids: list[str] = []
        with self.store.writing() as session:
            for number in range(count):
                event = Event(uuid.uuid4().hex, "letter.came", "mac", now, {"number": number})
                taken = take(
                    session,
                    event,
                    seal=self.seal,
                    jobs=jobs(),
                    zone=self.settings.zone,
                    now=now,
                )
                run_ids += taken.run_ids
        if dispatch:
            dispatcher = Dispatcher(make_broker(self.redis_url))
            dispatcher.start()
            dispatcher(run_ids)
            dispatcher.stop()
        return run_ids

    def runs(self, which: Job[Any]) -> list[Run]:
        """The runs of a job, in order."""
        with self.store.reading() as session:
            query = select(Run).where(Run.job == which.name).order_by(Run.seq)
            return list(session.scalars(query))

    def at_least(self, which: Job[Any], count: int, state: str = "succeeded") -> list[Run]:
        """Waits until a job has so many runs in a state; those."""

        def there() -> list[Run] | None:
            found = [run for run in self.runs(which) if run.state == state]
            return found if len(found) >= count else None

        return eventually(there, f"{count} runs of {which.name} {state}")

    def commands(self) -> int:
        """How many the desk was given."""
        with self.store.reading() as session:
            return session.scalar(select(func.count()).select_from(Command)) or 0

    def empty_redis(self) -> None:
        """Redis forgets everything."""
        redis.Redis.from_url(self.redis_url).flushall()

    def stop(self) -> None:
        """End what runs; each must end in order."""
        codes = [process.stop() for process in self.processes if process.popen.poll() is None]
        self.store.close()
        assert set(codes) <= {0}


@contextmanager
def cloud(directory: Path, **overrides: str) -> Iterator[Cloud]:
    """A cloud layer with nothing but Redis started; all that was started is ended."""
    with redis_server(directory) as (process, url):
        found = Cloud(directory, process, url, overrides)
        try:
            yield found
        finally:
            found.stop()


def main() -> None:
    """One of the processes."""
    found = configuration.load()
    logs.configure(sys.argv[1], found.log_level, None)
    {"schedule": scheduler, "work": worker}[sys.argv[1]].run(found, jobs())


if __name__ == "__main__":
    main()

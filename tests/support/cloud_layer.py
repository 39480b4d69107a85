"""The cloud layer in one process: real store, real jobs, their runs worked on in turn.

What it does with several processes, Redis and the clock is tried in tests/integration/cloud.
"""

import base64
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.clock import tick
from cloud_jobs.runtime.events import Event, Taken, take
from cloud_jobs.runtime.executing import Runner
from cloud_jobs.runtime.job import Job, Jobs, Queue
from cloud_jobs.runtime.pausing import paused
from cloud_jobs.runtime.starting import Start, payload_context, start
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.alerts import Alert
from cloud_jobs.store.database import Store
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.money import Metered
from cloud_jobs.store.runs import FINISHED, PausedQueue, Run, StartedBy, State
from cloud_jobs.store.tables import METADATA

SEAL_KEYS = f"one:{base64.b64encode(bytes(range(32))).decode()}"
NewUrl = Callable[[], str]
_ROUNDS = 50


class SqliteFiles:
    """Store files in a directory, each a copy of one that has the tables, empty."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()
        self._template = directory / "template.db"
        store = Store(f"sqlite:///{self._template}")
        METADATA.create_all(store.engine)
        store.close()

    def fresh(self) -> str:
        """The URL of a new one."""
        path = self._directory / f"cloud-{next(self._numbers)}.db"
        shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"


@dataclass(frozen=True)
class Told:
    """An event as it was kept, opened."""

    event_id: str
    name: str
    source: str
    guest: str | None
    payload: dict[str, Any]


@dataclass
class Layer:
    """The cloud layer's parts over one store, and what a test asks of them."""

    settings: CloudSettings
    store: Store
    seal: Seal
    jobs: Jobs
    runner: Runner
    new_url: NewUrl
    overrides: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        new_url: NewUrl,
        jobs: Iterable[Job[Any]],
        *,
        store_class: type[Store] = Store,
        **overrides: Any,
    ) -> "Layer":
        """A layer over an empty store; ``overrides`` are settings."""
        url = new_url()
        given = {"seal_keys": SEAL_KEYS, "store_url": url} | overrides
        settings = CloudSettings(_env_file=None, **given)
        by_name = Jobs()
        for job in jobs:
            by_name.add(job)
        store = store_class(url)
        seal = Seal(settings.seal_key_bytes, b"")
        runner = Runner(settings, store, seal, by_name)
        return cls(settings, store, seal, by_name, runner, new_url, overrides)

    def mortal(self) -> "Layer":
        """Another like this, over an empty store that can be killed."""
        jobs = self.jobs.by_name.values()
        return Layer.make(self.new_url, jobs, store_class=MortalStore, **self.overrides)

    def empty(self) -> None:
        """Delete all rows: quicker than another store, whose statements are compiled anew."""
        with Store.writing(self.store) as session:
            for table in reversed(METADATA.sorted_tables):
                session.execute(table.delete())

    def tell(
        self,
        name: str,
        payload: dict[str, Any],
        guest: str | None = None,
        event_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Taken:
        """An event, as the desk tells it."""
        now = datetime.now(UTC)
        event = Event(
            event_id=event_id or uuid.uuid4().hex,
            name=name,
            source="mac",
            occurred_at=occurred_at or now,
            payload=payload,
            guest=guest,
        )
        with self.store.writing() as session:
            return take(
                session,
                event,
                seal=self.seal,
                jobs=self.jobs,
                zone=self.settings.zone,
                now=now,
            )

    def begin(self, job: Job[Any], payload: dict[str, Any], **options: Any) -> str:
        """Start a run as a person does; its id. ``options`` are those of :class:`Start`."""
        one = Start(job, payload, StartedBy.PERSON, **options)
        now = datetime.now(UTC)
        with self.store.writing() as session:
            return start(session, one, seal=self.seal, zone=self.settings.zone, now=now).run_id

    def tick(self, now: datetime | None = None) -> list[str]:
        """Let the clock start what is due; the runs."""
        with self.store.writing() as session:
            return tick(session, self.jobs, self.settings, self.seal, now or datetime.now(UTC))

    def run_all(self) -> None:
        """Work on every run that is due, and on those that they start, until there is none."""
        before: list[str] = []
        while (run_ids := self._due()) != before:  # the same again: they wait for others
            for run_id in run_ids:
                self.runner.execute(run_id)
            before = run_ids

    def run_to_the_end(self) -> None:
        """Work until every run is over, with no patience for what waits for its time."""
        for _ in range(_ROUNDS):
            self.run_all()
            if all(run.state in FINISHED for run in self.runs()):
                return
            self.hurry()
        still = Counter((run.job, run.state) for run in self.runs() if run.state not in FINISHED)
        raise AssertionError(f"not over after {_ROUNDS} rounds: {still}")

    def hurry(self) -> None:
        """Let the time of everything come that waits: delays, retries, leases of the dead."""
        now = datetime.now(UTC)
        with Store.writing(self.store) as session:  # no process of ours does it: nothing dies here
            session.execute(
                update(Run)
                .where(Run.state.in_([State.QUEUED, State.RUNNING]))
                .values(state=State.QUEUED, not_before=now, lease_until=None)
            )

    def commands(self) -> list[tuple[str, dict[str, Any]]]:
        """What the desk was asked for, in order."""
        with self.store.reading() as session:
            rows = session.scalars(select(Command).order_by(Command.seq)).all()
        return [
            (row.name, self._open(row.payload, f"commands.payload:{row.command_id}"))
            for row in rows
        ]

    def events(self, name: str | None = None) -> list[Told]:
        """The events that were taken, of a name or all, in order."""
        query = select(InboundEvent).order_by(InboundEvent.seq)
        with self.store.reading() as session:
            rows = session.scalars(query).all()
        return [
            Told(
                row.event_id,
                row.name,
                row.source,
                row.guest,
                self._open(row.payload, f"inbound_events.payload:{row.event_id}"),
            )
            for row in rows
            if name in (None, row.name)
        ]

    def runs(self, job: Job[Any] | str | None = None) -> list[Run]:
        """The runs, of a job or all, in order."""
        name = job.name if isinstance(job, Job) else job
        with self.store.reading() as session:
            rows = session.scalars(select(Run).order_by(Run.seq)).all()
        return [row for row in rows if name in (None, row.job)]

    def payload(self, run: Run) -> dict[str, Any]:
        """What a run was given."""
        return self._open(run.payload, payload_context(run.run_id))

    def output(self, run: Run) -> dict[str, Any] | None:
        """What a run came to."""
        if run.output is None:
            return None
        return self._open(run.output, f"runs.output:{run.run_id}")

    def meters(self) -> list[tuple[str, int]]:
        """What was used: items and quantities, in order."""
        with self.store.reading() as session:
            rows = session.scalars(select(Metered).order_by(Metered.seq)).all()
        return [(row.item, row.quantity) for row in rows]

    def alerts(self) -> list[tuple[str, str]]:
        """The alerts that are open: their kinds and texts, in order."""
        query = select(Alert).where(Alert.resolved_at.is_(None)).order_by(Alert.seq)
        with self.store.reading() as session:
            rows = session.scalars(query).all()
        return [(row.kind, self.seal.open(row.text, f"alerts.text:{row.key}")) for row in rows]

    def paused(self) -> dict[Queue, PausedQueue]:
        """The queues that are paused."""
        with self.store.reading() as session:
            return paused(session)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _due(self) -> list[str]:
        query = (
            select(Run.run_id)
            .where(Run.state == State.QUEUED, Run.not_before <= datetime.now(UTC))
            .order_by(Run.seq)
        )
        with self.store.reading() as session:
            return list(session.scalars(query))

    def _open(self, sealed: bytes, context: str) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(self.seal.open(sealed, context))
        return opened


class Killed(BaseException):
    """The process is gone: no Exception, for nothing may go on after it."""


class MortalStore(Store):
    """A store whose process can be killed: before a transaction, at its end, and after it.

    ``dies_at`` is the number of the point where it happens (from 1), once; ``passed`` counts them.
    What a process does besides transactions lies between two of these points.
    """

    passed = 0
    dies_at = 0

    @contextmanager
    def writing(self, **options: Any) -> Iterator[Session]:
        """See :class:`Store`."""
        self._pass()
        with super().writing(**options) as session:
            yield session
            self._pass()
        self._pass()

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self.dies_at:
            self._die()

    def _die(self) -> None:
        raise Killed


def kill_everywhere(
    layer: Layer,
    job: Job[Any],
    payload: dict[str, Any],
    *,
    guest: str | None = None,
    prepare: Callable[[Layer], None] = lambda _: None,
) -> int:
    """Kill a run of ``job`` at each of its points, each time in an empty store; how many there are.

    The run goes on as after a real death, and so do those that it starts. In the end all that was
    done must be what an undisturbed run does: the same commands, events and metered uses, as often.
    ``prepare`` fills each store. What a job's steps ask of a double is the test's to count: a step
    that the death fell into is done again.
    """
    mortal = layer.mortal()
    store = mortal.store
    assert isinstance(store, MortalStore)

    def begin() -> set[str]:
        """Fill the store and start the run; what was there before it."""
        mortal.empty()
        prepare(mortal)
        prepared = {run.run_id for run in mortal.runs()}
        mortal.begin(job, payload, guest=guest)
        store.passed = 0
        return prepared

    prepared = begin()
    mortal.run_to_the_end()
    points = store.passed
    expected = _effects(mortal)
    states = {run.state for run in mortal.runs() if run.run_id not in prepared}
    assert states == {State.SUCCEEDED}, "it fails undisturbed"
    for point in range(1, points + 1):
        begin()
        store.dies_at = point
        try:
            mortal.run_to_the_end()
        except Killed:
            pass
        else:
            raise AssertionError(f"point {point} of {points} was not reached: runs differ")
        mortal.hurry()
        mortal.run_to_the_end()
        assert _effects(mortal) == expected, f"killed at point {point} of {points}"
    mortal.close()
    return points


def _effects(layer: Layer) -> dict[str, Counter[str]]:
    """All that runs did that somebody else sees, each as often as it was done."""
    return {
        "commands": Counter(json.dumps(one, sort_keys=True) for one in layer.commands()),
        "events": Counter(
            json.dumps([one.name, one.guest, one.payload], sort_keys=True) for one in layer.events()
        ),
        "meters": Counter(f"{quantity} {item}" for item, quantity in layer.meters()),
        "runs": Counter(f"{run.job} {run.state}" for run in layer.runs()),
        "alerts": Counter(kind for kind, _ in layer.alerts()),
        "pauses": Counter(f"{queue} by {row.by}" for queue, row in layer.paused().items()),
    }

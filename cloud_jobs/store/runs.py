"""Runs of jobs: each a row, with its finished steps, its logs, and the clock's last ticks."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Key, Moment, Money


class State(StrEnum):
    """How far a run is."""

    QUEUED = "queued"  # also one that waits for its time, or for another of its concurrency key
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"  # its queue is paused; it runs when that is resumed
    TIMED_OUT = "timed_out"


FINISHED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.TIMED_OUT})


class StartedBy(StrEnum):
    """What made a run."""

    EVENT = "event"
    CLOCK = "clock"
    JOB = "job"
    REPLAY = "replay"
    PERSON = "person"


class Run(Base):
    """One run. ``day`` is that of its start in the property's time zone, as YYYY-MM-DD.

    ``payload`` and ``output`` are sealed JSON (contexts ``runs.payload:<run_id>``,
    ``runs.output:<run_id>``). ``error`` is what the job said, without anything of a guest.
    ``guest`` is whom the event was about that set it off, by the blind index in hex. While a run is
    queued, ``lease_until`` says until when its message is taken to be on the queue.
    """

    __tablename__ = "runs"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(String(32), unique=True)
    job: Mapped[str] = mapped_column(String(60))
    queue: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(12))
    started_by: Mapped[str] = mapped_column(String(10))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    key_expires_at: Mapped[datetime | None] = mapped_column(Moment)
    concurrency_key: Mapped[str | None] = mapped_column(String(200))
    batch: Mapped[str | None] = mapped_column(String(32))
    parent: Mapped[str | None] = mapped_column(String(32))
    replay_of: Mapped[str | None] = mapped_column(String(32))
    event_id: Mapped[str | None] = mapped_column(String(200))
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    excused: Mapped[int] = mapped_column(default=0)  # of the attempts, those that we broke off
    created_at: Mapped[datetime] = mapped_column(Moment)
    not_before: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    worker: Mapped[str | None] = mapped_column(String(80))
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    output: Mapped[bytes | None] = mapped_column(LargeBinary)
    error_kind: Mapped[str | None] = mapped_column(String(60))
    error: Mapped[str | None] = mapped_column(Text)
    cost: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    day: Mapped[str] = mapped_column(String(10))

    __table_args__ = (
        UniqueConstraint("job", "idempotency_key"),
        Index("ix_runs_open", "state", "not_before"),
        Index("ix_runs_job", "job", "seq"),
        Index("ix_runs_state", "state", "seq"),
        Index("ix_runs_created", "created_at"),
        Index("ix_runs_replay", "replay_of"),
        # All that the numbers by day need, so that no row of a run is read for them.
        Index("ix_runs_day", "day", "job", "state", "started_at", "finished_at", "cost"),
        # Of one concurrency key one run works: two workers can't both take it for free.
        Index(
            "uq_runs_working",
            "job",
            "concurrency_key",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )


class Step(Base):
    """A step of a run that is finished: not done again when the run is tried again."""

    __tablename__ = "steps"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    attempt: Mapped[int]
    output: Mapped[bytes] = mapped_column(LargeBinary)  # context steps.output:<run_id>:<name>
    finished_at: Mapped[datetime] = mapped_column(Moment)


class RunLog(Base):
    """A line that a run wrote; nothing of a guest."""

    __tablename__ = "run_logs"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    level: Mapped[str] = mapped_column(String(10))
    message: Mapped[str] = mapped_column(Text)
    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Tick(Base):
    """When the clock last ticked for a job; ``skipped`` counts ticks that a pause left out."""

    __tablename__ = "ticks"

    job: Mapped[str] = mapped_column(String(60), primary_key=True)
    last_at: Mapped[datetime] = mapped_column(Moment)
    skipped: Mapped[int] = mapped_column(default=0)


class PausedQueue(Base):
    """A queue that takes no runs; who paused it, since when, and why."""

    __tablename__ = "paused_queues"

    queue: Mapped[str] = mapped_column(String(20), primary_key=True)
    by: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Moment)


class Pause(Base):
    """A pause that is over, for the report of what it saved."""

    __tablename__ = "pauses"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    queue: Mapped[str] = mapped_column(String(20))
    by: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment)
    resumed_by: Mapped[str] = mapped_column(String(60))

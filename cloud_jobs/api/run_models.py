"""Runs as the API shows them: never what they were given, nor what they came to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from cloud_jobs.store.runs import Run, RunLog, StartedBy, State


class RunShown(BaseModel):
    """One run."""

    run_id: str
    job: str
    queue: str
    state: State
    started_by: StartedBy
    attempts: int
    created_at: datetime
    not_before: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_asked: bool
    parent: str | None = Field(description="The run that started it.")
    replay_of: str | None
    batch: str | None
    event_id: str | None = Field(description="The event that started it, or its parent.")
    worker: str | None
    cost: str = Field(description="What it has metered, in the currency of the stats.")
    error_kind: str | None
    error: str | None

    @classmethod
    def of(cls, run: Run) -> "RunShown":
        """A row of the store, read without payload and output."""
        names = cls.model_fields.keys() - {"cost"}
        return cls(cost=f"{run.cost:f}", **{name: getattr(run, name) for name in names})


class StepShown(BaseModel):
    """A step that is finished, and which attempt finished it."""

    name: str
    attempt: int
    finished_at: datetime


class LogShown(BaseModel):
    """A line that the run wrote."""

    at: datetime
    level: str
    message: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, line: RunLog) -> "LogShown":
        """A row of the store."""
        return cls(at=line.at, level=line.level, message=line.message, fields=line.fields)


class RunsPage(BaseModel):
    """Runs, the newest first."""

    runs: Sequence[RunShown]
    next: int | None = Field(description="Ask with before=… for the older ones.")


class RunWhole(BaseModel):
    """A run with what it did."""

    run: RunShown
    steps: Sequence[StepShown]
    logs: Sequence[LogShown]


class JobDayShown(BaseModel):
    """A job's runs of a day, by the property's clock."""

    day: str
    job: str
    runs: int
    states: dict[State, int]
    average_seconds: float | None = Field(description="Of the last attempts that are over.")
    longest_seconds: float | None
    cost: str


class Stats(BaseModel):
    """Numbers by day and job."""

    since: str
    until: str
    currency: str
    days: Sequence[JobDayShown]

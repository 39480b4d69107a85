"""A run begins as a row, in the transaction of whoever starts it; it is dispatched after that."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.job import Job, Payload
from cloud_jobs.runtime.pausing import resting
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Run, StartedBy, State
from cloud_jobs.store.upserts import add_new

# How long a key counts where nobody says.
KEY_COUNTS: Final = timedelta(hours=24)
# Rows in one statement: 24 columns each, of 32,766 variables that SQLite takes.
_AT_ONCE: Final = 500
_LONGEST_KEY: Final = 200
_RUNS: Final = table(Run)
_FREE_EXPIRED: Final = (
    update(_RUNS)
    .where(
        _RUNS.c.job == bindparam("of_job"),
        _RUNS.c.idempotency_key == bindparam("of_key"),
        _RUNS.c.key_expires_at <= bindparam("now"),
    )
    .values(idempotency_key=None)
)


@dataclass(frozen=True)
class Start:
    """A run to be started, with ``payload`` for the job's model.

    At most one run of a job has a ``key`` within ``key_counts``; without a key the job's own
    ``once`` says. ``as_it_is`` takes also a payload that the job can't read: its run fails with
    that, and is there to be replayed (an event isn't refused because one of its jobs is wrong).
    """

    job: Job[Any]
    payload: dict[str, Any]
    started_by: StartedBy
    key: str | None = None
    key_counts: timedelta = KEY_COUNTS
    not_before: datetime | None = None
    batch: str | None = None
    parent: str | None = None
    replay_of: str | None = None
    event_id: str | None = None
    guest: str | None = None
    as_it_is: bool = False


@dataclass(frozen=True)
class Started:
    """The run; ``is_new`` is False if its key was taken: then it is the run that has the key."""

    run_id: str
    is_new: bool


def start(session: Session, one: Start, *, seal: Seal, zone: ZoneInfo, now: datetime) -> Started:
    """Start a run. Raises pydantic's ValidationError for a payload that the job can't read."""
    return start_all(session, [one], seal=seal, zone=zone, now=now)[0]


def start_all(
    session: Session, starts: Iterable[Start], *, seal: Seal, zone: ZoneInfo, now: datetime
) -> list[Started]:
    """Start many, with a few statements for each 500; in their order. Raises like :func:`start`."""
    day = now.astimezone(zone).date().isoformat()
    rows = [_row(one, seal, now) | {"day": day} for one in starts]
    if not rows:
        return []
    paused = resting(session.connection())
    for row in rows:
        row["state"] = State.PAUSED if row["queue"] in paused else State.QUEUED
    return [started for chunk in _chunks(rows) for started in _insert(session, chunk, now)]


def due(started: Iterable[Started]) -> list[str]:
    """The runs to be dispatched: those that are new."""
    return [one.run_id for one in started if one.is_new]


def _row(one: Start, seal: Seal, now: datetime) -> dict[str, Any]:
    run_id = uuid.uuid4().hex
    given, text = _read(one)
    key, counts = _key(one, given)
    job = one.job
    lane = job.concurrency_key
    return {
        "run_id": run_id,
        "job": job.name,
        "queue": job.queue,
        "started_by": one.started_by,
        "idempotency_key": key,
        "key_expires_at": None if key is None else now + counts,
        "concurrency_key": None if lane is None or given is None else fitting(lane(given)),
        "batch": one.batch,
        "parent": one.parent,
        "replay_of": one.replay_of,
        "event_id": one.event_id,
        "guest": one.guest,
        "created_at": now,
        "not_before": max(now, one.not_before or now),
        "payload": seal.seal(text, payload_context(run_id)),
    }


def payload_context(run_id: str) -> str:
    """What a run's payload is sealed under."""
    return f"runs.payload:{run_id}"


def fitting(key: str) -> str:
    """A key as its column takes it: one that is too long by its hash."""
    return key if len(key) <= _LONGEST_KEY else sha256(key.encode()).hexdigest()


def _read(one: Start) -> tuple[Payload | None, str]:
    """The payload as the job reads it, and as JSON: only what the job has a use for is kept."""
    try:
        given: Payload = one.job.payload.model_validate(one.payload)
    except ValidationError:
        if not one.as_it_is:
            raise
        return None, json.dumps(one.payload, default=str)
    return given, given.model_dump_json(by_alias=True)


def _key(one: Start, given: Payload | None) -> tuple[str | None, timedelta]:
    if one.key is not None:
        return fitting(one.key), one.key_counts
    # A replay is wanted though the job ran.
    if one.job.once is None or given is None or one.replay_of is not None:
        return None, one.key_counts
    key_of, counts = one.job.once
    return fitting(f"once:{key_of(given)}"), counts


def _insert(session: Session, rows: list[dict[str, Any]], now: datetime) -> list[Started]:
    added = add_new(session, Run, rows, Run.run_id.key)
    keys = {
        (row["job"], row["idempotency_key"])
        for row in rows
        if row["idempotency_key"] and row["run_id"] not in added
    }
    if keys:
        _free_expired(session, keys, now)
        again = [row for row in rows if row["run_id"] not in added]
        added |= add_new(session, Run, again, Run.run_id.key)
    if len(added) == len(rows):
        return [Started(row["run_id"], is_new=True) for row in rows]
    holders = _holders(session, keys)
    return [
        Started(row["run_id"], is_new=True)
        if row["run_id"] in added
        else Started(holders[row["job"], row["idempotency_key"]], is_new=False)
        for row in rows
    ]


def _free_expired(session: Session, keys: set[tuple[str, str]], now: datetime) -> None:
    given = [{"of_job": job, "of_key": key, "now": now} for job, key in sorted(keys)]
    session.connection().execute(_FREE_EXPIRED, given)


def _holders(session: Session, keys: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    found = session.execute(
        select(Run.job, Run.idempotency_key, Run.run_id).where(
            tuple_(Run.job, Run.idempotency_key).in_(keys)
        )
    )
    return {(job, key): run_id for job, key, run_id in found if key is not None}


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(rows), _AT_ONCE):
        yield rows[at : at + _AT_ONCE]

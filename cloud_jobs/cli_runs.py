"""``portiere cloud runs``, ``run``, ``replay``, ``cancel``: what jobs did, and doing it again."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from app.queueing import enqueue
from app.sealing import Seal
from cloud_jobs import settings as configuration
from cloud_jobs.runtime import cancelling, listing, replaying, starting
from cloud_jobs.runtime.broker import make_broker, messages
from cloud_jobs.runtime.listing import Filter
from cloud_jobs.runtime.starting import Start
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from cloud_jobs.store.runs import FINISHED, Run, StartedBy, State
from cloud_jobs.store.schema import verify

JobName = Annotated[str | None, typer.Option("--job", help="Only of this job.")]
InState = Annotated[State | None, typer.Option("--state", help="Only in this state.")]
Kind = Annotated[str | None, typer.Option("--error", help="Only with this kind of error.")]
Hours = Annotated[
    float | None, typer.Option("--since", help="Only what was started in so many hours.")
]
RunId = Annotated[str, typer.Argument(help="Its id.")]


def open_store(found: CloudSettings) -> Store:
    """The store. Raises SchemaError if it is not at the revision that this release needs."""
    store = Store(found.store_url.get_secret_value())
    verify(store)
    return store


def dispatch(found: CloudSettings, run_ids: Sequence[str]) -> None:
    """Queue runs, after their commit; what Redis doesn't take now the scheduler finds."""
    enqueue(make_broker(found.redis_url.get_secret_value()), messages(run_ids))


def runs(  # noqa: PLR0913 - what can be asked for
    *,
    job: JobName = None,
    state: InState = None,
    error: Kind = None,
    since: Hours = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, a line each.")] = False,
) -> None:
    """Show the last runs; nothing of what they were given."""
    found = configuration.load()
    which = Filter(job, state, error, _ago(since))
    with open_store(found).reading() as session:
        rows = listing.find(session, which, limit=limit)
    for row in rows:
        if as_json:
            typer.echo(json.dumps(_line(row)))
            continue
        at = row.created_at.astimezone(found.zone)
        why = f"  {row.error}" if row.error else ""
        typer.echo(f"{row.run_id}  {at:%d %b %H:%M:%S}  {row.job:<24} {row.state:<9}{why}")


def start(
    job: Annotated[str, typer.Argument(help="Its name, as `portiere cloud jobs` shows it.")],
    payload: Annotated[
        str | None, typer.Option(help="What it is given, as JSON; - reads it.", show_default=False)
    ] = None,
) -> None:
    """Start a job now, whatever its trigger, and print its run's id."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - only this command needs it

    found = configuration.load()
    declared = all_jobs(found).by_name.get(job)
    if declared is None:
        raise typer.BadParameter(f"no job is called {job!r}: see `portiere cloud jobs`")
    text = sys.stdin.read() if payload == "-" else payload or "{}"
    seal = Seal(found.seal_key_bytes, b"")
    try:
        given = Start(declared, json.loads(text), StartedBy.PERSON)
        with open_store(found).writing() as session:
            now = datetime.now(UTC)
            started = starting.start(session, given, seal=seal, zone=found.zone, now=now)
    except (ValueError, TypeError) as error:
        # pydantic's error is a ValueError; it says where, and quotes nothing.
        raise typer.BadParameter(f"{job} can't be given that: {error}") from None
    dispatch(found, [started.run_id])
    typer.echo(started.run_id)


def run(run_id: RunId) -> None:
    """Show one run as JSON, with its steps and its log; nothing of what it was given."""
    with open_store(configuration.load()).reading() as session:
        row = listing.get(session, run_id)
        if row is None:
            raise _unknown(run_id)
        shown = _line(row) | {
            "steps": [
                {"name": name, "attempt": attempt, "at": at.isoformat()}
                for name, attempt, at in listing.steps_of(session, run_id)
            ],
            "log": [
                {"at": line.at.isoformat(), "message": line.message} | line.fields
                for line in listing.logs_of(session, run_id)
            ],
        }
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def replay(  # noqa: PLR0913 - what can be asked for
    run_id: Annotated[str | None, typer.Argument(help="Its id; else which by the options.")] = None,
    *,
    job: JobName = None,
    state: InState = None,
    error: Kind = None,
    since: Hours = None,
    keep_steps: Annotated[
        bool, typer.Option("--keep-steps", help="Don't do again what was finished.")
    ] = False,
) -> None:
    """Run again what is over: one run, or those that fit the options and were not replayed yet."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - only this command needs it

    which = Filter(job, state, error, _ago(since))
    if (run_id is None) is (which == Filter()):
        raise typer.BadParameter("name one run, or say which: --job, --state, --error, --since")
    found = configuration.load()
    store = open_store(found)
    with store.reading() as session:
        one = listing.get(session, run_id) if run_id else None
    if run_id and one is None:
        raise _unknown(run_id)
    if one and one.state not in FINISHED:
        raise typer.BadParameter(f"it is not over, but {one.state}", param_hint="RUN_ID")
    with store.writing() as session:
        replayed = replaying.replay(
            session,
            run_id or which,
            seal=Seal(found.seal_key_bytes, b""),
            jobs=all_jobs(found),
            zone=found.zone,
            now=datetime.now(UTC),
            keep_steps=keep_steps,
        )
    dispatch(found, replayed.run_ids)
    for new in replayed.run_ids:
        typer.echo(new)
    if replayed.left_out:
        typer.echo(f"Left out, for their jobs are no more: {replayed.left_out}.", err=True)


def cancel(run_id: RunId) -> None:
    """Cancel a run: at once if it waits, at its next step if it works."""
    with open_store(configuration.load()).writing() as session:
        state = cancelling.cancel(session, run_id, datetime.now(UTC))
    if state is None:
        raise _unknown(run_id)
    said = {
        State.CANCELLED: "is cancelled.",
        State.RUNNING: "works, and ends at its next step.",
    }
    typer.echo(f"{run_id} {said.get(state, f'was over: {state}.')}")


def _line(row: Run) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "job": row.job,
        "queue": row.queue,
        "state": row.state,
        "started_by": row.started_by,
        "attempts": row.attempts,
        "created_at": row.created_at.isoformat(),
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "parent": row.parent,
        "replay_of": row.replay_of,
        "event_id": row.event_id,
        "cost": str(row.cost),
        "error_kind": row.error_kind,
        "error": row.error,
    }


def _ago(hours: float | None) -> datetime | None:
    return None if hours is None else datetime.now(UTC) - timedelta(hours=hours)


def _unknown(run_id: str) -> typer.BadParameter:
    """To be raised."""
    return typer.BadParameter(f"no run is called {run_id}: portiere cloud runs")

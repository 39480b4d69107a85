"""``portiere cloud …``: the programs of the cloud layer, and what the engineer asks of it."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import redis
import typer

from app import logs
from app.sealing import SealError
from app.settings import SettingsError
from cloud_jobs import cli_analytics, cli_costs, cli_mails, cli_runs, cli_snapshot
from cloud_jobs import settings as configuration
from cloud_jobs.cli_runs import dispatch, open_store
from cloud_jobs.exchange import audit
from cloud_jobs.runtime import pausing
from cloud_jobs.runtime.job import PAUSABLE, Cron, Every, Job, On, Queue
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store import schema
from cloud_jobs.store.database import Store, StoreError, StoreUnavailable
from cloud_jobs.store.runs import PausedQueue

cli = typer.Typer(
    help="The cloud layer: events in, commands out, jobs by the clock.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.command()(cli_runs.runs)
cli.command()(cli_runs.run)
cli.command()(cli_runs.start)
cli.command()(cli_runs.replay)
cli.command()(cli_runs.cancel)
cli.command()(cli_analytics.analytics)
cli.command()(cli_costs.costs)
cli.command()(cli_mails.mails)
cli.command()(cli_mails.mail)
cli.command()(cli_snapshot.snapshot)
By = Annotated[str, typer.Option("--as", help="Your name, for the others.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, a line each.")]
Queues = Annotated[
    list[Queue] | None, typer.Argument(help="Which; all that may be paused if none is named.")
]


def main(arguments: list[str]) -> None:
    """Run a command; what is wrong with settings or store ends it with a line and exit code 1."""
    try:
        cli(args=arguments, prog_name="portiere cloud")
    except StoreUnavailable as error:
        # What it says itself may quote what was to be written.
        why = f"the store doesn't answer ({type(error).__name__})"
        typer.echo(f"portiere: {why}: is PORTIERE_STORE_URL right, does Postgres run?", err=True)
        sys.exit(1)
    except (SettingsError, StoreError, SealError, OSError) as error:
        typer.echo(f"portiere: {error}", err=True)
        sys.exit(1)


@cli.command()
def api() -> None:
    """Run the API: take events, offer commands, answer the engineer."""
    from cloud_jobs.processes import api as process  # noqa: PLC0415 - loads only what it runs

    process.run(_start("cloud-api"))


@cli.command()
def openapi() -> None:
    """Print the document of the cloud's API (OpenAPI 3.1); needs no settings."""
    from cloud_jobs.api.openapi import document  # noqa: PLC0415 - only this command needs it

    typer.echo(json.dumps(document(), indent=2))


@cli.command()
def work() -> None:
    """Run a worker: there may be any number of them."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - loads only what it runs
    from cloud_jobs.processes import worker  # noqa: PLC0415 - loads only what it runs

    found = _start("cloud-worker")
    worker.run(found, all_jobs(found))


@cli.command()
def schedule() -> None:
    """Run the scheduler: the clock, what was left behind, alerts, the mailbox."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - loads only what it runs
    from cloud_jobs.processes import scheduler  # noqa: PLC0415 - loads only what it runs

    found = _start("cloud-scheduler")
    scheduler.run(found, all_jobs(found))


@cli.command()
def serve() -> None:
    """Run API, scheduler and one worker, sharing their memory; for a small server."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - loads only what it runs
    from cloud_jobs.processes import together  # noqa: PLC0415 - loads only what it runs

    found = _start("cloud")
    together.run(found, all_jobs(found))


@cli.command()
def migrate(
    to: Annotated[
        str | None, typer.Option(help="A revision to go to, also back; else this release's own.")
    ] = None,
) -> None:
    """Bring the store's tables to what this release needs; the scheduler does so by itself."""
    store = Store(configuration.load().store_url.get_secret_value())
    schema.migrate(store, to)
    typer.echo(f"The store is at revision {schema.current(store)}.")


@cli.command()
def check() -> None:
    """Say whether the cloud layer could run here: settings, jobs, store, Redis. Exit 1 if not.

    Changes nothing: a release is asked this before it becomes the current one.
    """
    found = configuration.load()
    failures = list(_failures(found))
    for failure in failures:
        typer.echo(failure, err=True)
    if failures:
        raise typer.Exit(1)
    typer.echo(f"portiere {version('portiere')}: settings, jobs and stores are good.")


@cli.command()
def jobs(as_json: AsJson = False) -> None:
    """Show each job: its queue, its trigger, when the clock starts it next."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - only this command needs it
    from cloud_jobs.runtime.clock import next_tick  # noqa: PLC0415 - the same

    found = configuration.load()
    now = datetime.now(UTC)
    for job in sorted(all_jobs(found).by_name.values(), key=lambda job: job.name):
        following = None
        if isinstance(job.trigger, Cron | Every):
            following = next_tick(job.trigger, found.zone, now)
        if as_json:
            line = {
                "job": job.name,
                "queue": job.queue,
                "trigger": _trigger(job),
                "next": following.isoformat() if following else None,
            }
            typer.echo(json.dumps(line))
            continue
        at = f"{following.astimezone(found.zone):%d %b %H:%M}" if following else ""
        typer.echo(f"{job.name:<24} {job.queue:<8} {at:<13} {_trigger(job)}")


@cli.command()
def queues(as_json: AsJson = False) -> None:
    """Show each queue, and of those that are paused since when, by whom and why."""
    found = configuration.load()
    with open_store(found).reading() as session:
        paused = pausing.paused(session)
    for queue in Queue:
        row = paused.get(queue)
        if as_json:
            typer.echo(json.dumps({"queue": queue, "paused": _pause(row) if row else None}))
            continue
        how = "runs"
        if row:
            since = row.since.astimezone(found.zone)
            how = f"paused since {since:%d %b %H:%M} by {row.by}: {row.reason}"
        typer.echo(f"{queue:<8} {how}")


@cli.command()
def pause(
    reason: Annotated[str, typer.Option(help="Why, for the others.")],
    which: Queues = None,
    by: By = "",
) -> None:
    """Pause queues until they are resumed; what comes is kept. The clock goes on."""
    wanted, who = which or PAUSABLE, _who(by)
    now = datetime.now(UTC)
    with open_store(configuration.load()).writing() as session:
        try:
            changed = pausing.pause(session, wanted, who, reason, now)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        for queue in changed:
            audit.record(session, actor=who, action="queue.paused", target=queue, **_here(now))
    for queue in wanted:
        typer.echo(f"{queue} is paused." if queue in changed else f"{queue} was paused already.")


@cli.command()
def resume(which: Queues = None, by: By = "") -> None:
    """Go on with queues, or with all: what waits in them is run now."""
    wanted, who = which or PAUSABLE, _who(by)
    now = datetime.now(UTC)
    found = configuration.load()
    with open_store(found).writing() as session:
        changed = [queue for queue in pausing.paused(session) if queue in wanted]
        run_ids = pausing.resume(session, changed, who, now)
        for queue in changed:
            audit.record(session, actor=who, action="queue.resumed", target=queue, **_here(now))
    dispatch(found, run_ids)
    for queue in wanted:
        typer.echo(f"{queue} goes on." if queue in changed else f"{queue} was not paused.")
    typer.echo(f"Runs that waited: {len(run_ids)}.")


def _start(process: str) -> CloudSettings:
    found = configuration.load()
    logs.configure(process, found.log_level, found.log_dir)
    return found


def _pause(row: PausedQueue) -> dict[str, str]:
    return {"since": row.since.isoformat(), "by": row.by, "reason": row.reason}


def _failures(found: CloudSettings) -> Iterator[str]:
    checks: dict[str, Callable[[CloudSettings], None]] = {
        "jobs": _check_jobs,
        "prices": _check_prices,
        "store": _check_store,
        "redis": _check_redis,
    }
    for name, look in checks.items():
        try:
            look(found)
        except (ValueError, StoreError) as error:
            yield f"{name}: {error}"
        except (redis.RedisError, StoreUnavailable) as error:
            yield f"{name}: {type(error).__name__}: is it running, is its URL right?"


def _check_jobs(found: CloudSettings) -> None:
    """Raises ValueError for two jobs of one name and for triggers that can't be read."""
    from cloud_jobs.jobs.all import all_jobs  # noqa: PLC0415 - only this command needs it
    from cloud_jobs.runtime.clock import next_tick  # noqa: PLC0415 - the same

    for job in all_jobs(found).by_name.values():
        if isinstance(job.trigger, Cron | Every):
            next_tick(job.trigger, found.zone, datetime.now(UTC))


def _check_prices(found: CloudSettings) -> None:
    """Raises CostsError, a ValueError, for a price list that can't be used."""
    from cloud_jobs.costs.prices import load  # noqa: PLC0415 - only this command needs it

    load(found)


def _check_store(found: CloudSettings) -> None:
    """A store that is new or of an older release is good: the scheduler brings it up to date."""
    store = Store(found.store_url.get_secret_value())
    schema.refuse_newer(schema.current(store))


def _check_redis(found: CloudSettings) -> None:
    redis.Redis.from_url(found.redis_url.get_secret_value(), socket_timeout=2).ping()


def _trigger(job: Job[Any]) -> str:
    match job.trigger:
        case On(names=names):
            return f"on {', '.join(names)}"
        case Cron(expression=expression):
            return f"at {expression}"
        case Every(interval=interval):
            return f"every {interval}"
    return "when another job starts it"


def _who(by: str) -> str:
    return f"cli:{by or getpass.getuser()}"


def _here(now: datetime) -> dict[str, Any]:
    """What the audit says of a request, for one that came by no network."""
    return {"request_id": "", "address": "", "now": now}

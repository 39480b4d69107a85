"""``portiere …``: the programs of a node, and what the engineer asks of it."""

import json
import sys
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated

import redis
import typer

from app import (
    cli_ask,
    cli_audit,
    cli_backup,
    cli_dead_letters,
    cli_desk,
    cli_guests,
    cli_ha,
    cli_keys,
    cli_queues,
    cli_release,
    cli_restore,
    cli_status,
    logs,
)
from app import settings as configuration
from app.cli_database import desk_database
from app.messages.trace import last
from app.sealing import SealError
from app.settings import Settings, SettingsError
from app.store.database import StoreError, check_database
from app.store.sketch import check_schema

cli = typer.Typer(
    help="Portiere: a WhatsApp front desk that survives a power cut.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.add_typer(cli_guests.guests, name="guests")
cli.add_typer(cli_guests.bookings, name="bookings")
cli.command()(cli_ask.ask)
cli.command()(cli_audit.audit)
cli.add_typer(cli_backup.backup, name="backup")
cli.add_typer(cli_desk.cli, name="desk")
cli.add_typer(cli_ha.ha, name="ha")
cli.add_typer(cli_keys.keys, name="keys")
cli.add_typer(cli_queues.queues, name="queues")
cli.add_typer(cli_release.release, name="release")
cli.add_typer(cli_dead_letters.letters, name="dead-letters")
cli.command()(cli_restore.restore)
cli.command()(cli_status.status)


def main() -> None:
    """The console script."""
    try:
        cli()
    except (SettingsError, StoreError, SealError, OSError) as error:
        typer.echo(f"portiere: {error}", err=True)
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"portiere {version('portiere')}")
        raise typer.Exit


@cli.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@cli.command()
def serve() -> None:
    """Run the gateway: take webhooks, keep them, answer health checks."""
    from app.gateway import serving  # noqa: PLC0415 - each process loads only what it runs

    found = configuration.load()
    logs.configure("gateway", found.log_level, found.log_dir, several=found.gateway_workers > 1)
    serving.run(found)


@cli.command()
def work() -> None:
    """Run the worker: answer guests and send what waits."""
    from app.work import worker  # noqa: PLC0415 - each process loads only what it runs

    worker.run(_start("worker"))


@cli.command()
def node() -> None:
    """Run the node: lead or stand by, fetch the cloud's commands, tell it what happened."""
    from app.ha import node as process  # noqa: PLC0415 - each process loads only what it runs

    process.run(_start("node"))


@cli.command()
def check() -> None:
    """Say whether this node could run: settings, facts, database, Redis. Exit 1 if not.

    Changes nothing: a release is asked this before it becomes the current one.
    """
    found = configuration.load()
    failures = [f"{name}: {reason}" for name, reason in _failures(found)]
    for failure in failures:
        typer.echo(failure, err=True)
    if failures:
        raise typer.Exit(1)
    typer.echo(f"portiere {version('portiere')}: settings, facts and stores are good.")


@cli.command()
def trace(
    count: Annotated[int, typer.Option(help="How many of the last answers.")] = 10,
) -> None:
    """Show when the last answers passed each hop, as JSON lines; nothing of what was said."""
    for one in last(desk_database(configuration.load()), count):
        typer.echo(json.dumps(asdict(one)))


# Handed on as it is: who asks for something of the desk loads nothing of the cloud layer.
_HANDED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@cli.command(context_settings=_HANDED_ON, add_help_option=False)
def cloud(context: typer.Context) -> None:
    """The cloud layer: its programs, jobs, runs and queues."""
    from cloud_jobs import cli as cloud_cli  # noqa: PLC0415 - see above

    cloud_cli.main(context.args)


@cli.command(context_settings=_HANDED_ON, add_help_option=False)
def costs(context: typer.Context) -> None:
    """What a month of the cloud layer cost: `portiere cloud costs`."""
    from cloud_jobs import cli as cloud_cli  # noqa: PLC0415 - see above

    cloud_cli.main(["costs", *context.args])


@cli.command()
def openapi() -> None:
    """Print the document of the gateway's API (OpenAPI 3.1); needs no settings."""
    from app.gateway.openapi import document  # noqa: PLC0415 - only this command needs it

    typer.echo(json.dumps(document(), indent=2))


@cli.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8090,
) -> None:
    """Play Spoki, and a guest's phone in the browser; set up by PORTIERE_SANDBOX_… variables."""
    from app.providers.sandbox import server  # noqa: PLC0415 - each process loads what it runs
    from app.providers.sandbox.config import load_config  # noqa: PLC0415 - the same

    logs.configure("sandbox", "INFO", None)
    server.run(load_config(), host, port)


@cli.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the phone page.")] = 8090,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8080,
) -> None:
    """Run everything on this machine, with a phone in the browser; Ctrl-C ends it."""
    from app.demo import run_demo  # noqa: PLC0415 - needs the extra 'demo'

    raise typer.Exit(run_demo(port, gateway_port))


def _start(process: str) -> Settings:
    found = configuration.load()
    logs.configure(process, found.log_level, found.log_dir)
    return found


def _failures(found: Settings) -> list[tuple[str, str]]:
    from app.conversation import property as facts  # noqa: PLC0415 - only this command needs it
    from app.messages import catalogue  # noqa: PLC0415 - the same

    failures = []
    try:
        facts.load(found.property_file)
    except facts.PropertyError as error:
        failures.append(("facts", str(error)))
    try:
        catalogue.load(found.templates, "", found.provider)
    except catalogue.CatalogueError as error:
        failures.append(("templates", str(error)))
    try:
        check_database(found.database)
        if (present := cli_release.present_database(found)) is not None:
            check_schema(present)
    except StoreError as error:
        failures.append(("database", str(error)))
    try:
        redis.Redis.from_url(found.redis_url.get_secret_value(), socket_timeout=2).ping()
    except redis.RedisError as error:
        failures.append(("redis", f"{type(error).__name__}: is it running, is the password right?"))
    return failures

"""``portiere queues …``: what is paused, and pausing and resuming it."""

import getpass
from typing import Annotated

import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.messages import audit, pausing
from app.messages.pausing import Queue
from app.store.database import Database

queues = typer.Typer(no_args_is_help=True, help="Queues: list, pause, resume.")
By = Annotated[str, typer.Option("--as", help="Your name, for the others.", show_default=False)]


@queues.command("list")
def list_queues() -> None:
    """Show each queue, and of those that are paused since when, by whom and why."""
    paused = {pause.queue: pause for pause in pausing.paused(_database())}
    for queue in Queue:
        pause = paused.get(queue)
        how = "runs"
        if pause:
            since = pause.since.astimezone()
            how = f"paused since {since:%d %b %H:%M} by {pause.by}: {pause.reason}"
        typer.echo(f"{queue:<9} {how}")


@queues.command()
def pause(
    queue: Queue,
    reason: Annotated[str, typer.Option(help="Why, for the others.")],
    by: By = "",
) -> None:
    """Pause a queue until it is resumed, through restarts too; what is in it waits, in order.

    Answers to emergencies go all the same.
    """
    who = f"cli:{by or getpass.getuser()}"
    with _database().transaction() as connection:
        changed = pausing.pause(connection, queue, who, reason)
        if changed:
            audit.record(
                connection,
                actor=who,
                action="queue.paused",
                target=queue,
                detail={"reason": reason},
            )
    typer.echo(f"{queue} is paused." if changed else f"{queue} was paused already.")


@queues.command()
def resume(queue: Queue, by: By = "") -> None:
    """Go on with a queue: what waits in it is taken up at once."""
    with _database().transaction() as connection:
        changed = pausing.resume(connection, queue)
        if changed:
            who = f"cli:{by or getpass.getuser()}"
            audit.record(connection, actor=who, action="queue.resumed", target=queue)
    typer.echo(f"{queue} goes on." if changed else f"{queue} was not paused.")


def _database() -> Database:
    return desk_database(configuration.load())

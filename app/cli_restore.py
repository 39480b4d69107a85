"""``portiere restore``: back to a point in time, or to the newest there is (docs/restore.md)."""

from typing import Annotated

import typer

from app.backup.planning import What


def restore(  # noqa: PLR0913, PLR0917 - what a person may say
    point: Annotated[
        str, typer.Option(help="latest, a time (2026-11-27 16:05), or a snapshot's id.")
    ] = "latest",
    what: Annotated[What, typer.Option(help="The database, the queue, or both.")] = What.SQLITE,
    check: Annotated[bool, typer.Option("--check", help="Show the plan, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before it is done.")] = False,
    no_replay: Annotated[
        bool, typer.Option("--no-replay", help="Don't take in again what came in since.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while the other may still lead: it is off.")
    ] = False,
    by: Annotated[
        str, typer.Option("--as", help="Your name, for the others.", show_default=False)
    ] = "",
) -> None:
    """Restore the database, the queue or both; what is there now is kept aside.

    Exit 1: it is refused, or was not done, and all is as it was; it says what to do.
    """
    from app import cli_restoring  # noqa: PLC0415 - the node loads this; a status doesn't

    cli_restoring.run(
        cli_restoring.Asked(
            point=point,
            what=what,
            check=check,
            yes=yes,
            replay=not no_replay,
            force=force,
            by=by,
        )
    )

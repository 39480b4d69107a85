"""``portiere release …``: what a release is asked before it is put into use, or gone back to."""

from pathlib import Path

import typer

from app import settings as configuration
from app.ha.copies import Copies
from app.ha.known import recall
from app.settings import Settings
from app.store.sketch import sketch

release = typer.Typer(
    no_args_is_help=True, help="Whether a release could be put into use, and be gone back from."
)


@release.command("try")
def try_out() -> None:
    """Serve for a moment beside whatever runs, over an empty database; exit 1 if that fails."""
    from app.gateway.trial import TrialError, try_out  # noqa: PLC0415 - loads an HTTP client

    configuration.load()
    try:
        try_out()
    except TrialError as error:
        typer.echo(f"portiere: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("The gateway serves; worker and node load.")


@release.command()
def schema() -> None:
    """Leave an empty database as this release would have made the present one; print where.

    Another release is asked what it would say of that: PORTIERE_DATABASE=… portiere check.
    """
    found = configuration.load()
    place = found.database.absolute().parent / "release" / "schema.db"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sketch(present_database(found), place)
    typer.echo(place)


def present_database(settings: Settings) -> Path | None:
    """The desk's database, or this node's copy of it while another leads; None: there is none."""
    if settings.database.exists():
        return settings.database
    copied = recall(settings.ha_directory / "known.json").copied
    return Copies(settings.ha_directory / "copies").newest(copied) if copied else None

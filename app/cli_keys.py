"""``portiere keys``: fresh keys, and the rotation of those that seal the database."""

import base64
import os

import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.sealing import Seal
from app.settings_keys import KEY_BYTES
from app.store.resealing import Rotation, pending, rotate

keys = typer.Typer(invoke_without_command=True)


@keys.callback()
def fresh(context: typer.Context) -> None:
    """Make fresh keys of database, nodes and backups, for the vault and for a sheet of paper."""
    if context.invoked_subcommand is None:
        typer.echo(f"PORTIERE_SEAL_KEYS=k1:{_key()}")
        for name in ("INDEX_KEY", "HA_KEY", "CLOUD_KEY", "BACKUP_KEY"):
            typer.echo(f"PORTIERE_{name}={_key()}")


@keys.command("rotate")
def rotate_keys() -> None:
    """Seal everything anew with the first of PORTIERE_SEAL_KEYS.

    Gateway and worker may run. If it is interrupted, start it again.
    """
    found = configuration.load()
    database = desk_database(found)
    seal = Seal(found.seal_key_bytes, found.index_key_bytes)
    with typer.progressbar(length=pending(database, seal), label="Sealing anew") as bar:
        rotation = rotate(database, seal, bar.update)
    typer.echo(f"Sealed anew with {seal.current}: {rotation.resealed}.")
    for where in rotation.unreadable:
        typer.echo(f"Left as it is: {where}", err=True)
    for line in _advice(rotation):
        typer.echo(line)
    if rotation.unreadable:
        raise typer.Exit(1)


def _advice(rotation: Rotation) -> list[str]:
    """Which keys may go."""
    return [
        f"{key_id} still seals {left}: keep it, and run this again."
        if left
        else f"{key_id} seals nothing any more: drop it from PORTIERE_SEAL_KEYS, if gateway and "
        "worker were restarted before this with the new key first."
        for key_id, left in rotation.still_sealing.items()
    ]


def _key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()

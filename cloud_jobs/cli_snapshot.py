"""``portiere cloud snapshot``: a copy of the store, for the backup."""

from pathlib import Path
from typing import Annotated

import typer

from cloud_jobs import settings as configuration
from cloud_jobs.store.snapshots import make_snapshot


def snapshot(
    to: Annotated[Path, typer.Option(help="The file; what it was stays until this one is whole.")],
) -> None:
    """Write a copy of the whole store to a file, checked, while all goes on: for the backup."""
    make_snapshot(configuration.load().store_url.get_secret_value(), to)
    typer.echo(f"The store is in {to}, {to.stat().st_size:,} bytes.")

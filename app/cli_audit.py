"""``portiere audit``: who changed what."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.messages.audit import Entry, entries

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _since(value: str) -> datetime:
    """A moment, or how long ago: raises typer.BadParameter."""
    count, unit = value[:-1], value[-1:]
    if count.isascii() and count.isdigit() and len(count) <= 4 and unit in _UNITS:
        return datetime.now(UTC) - int(count) * _UNITS[unit]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter("write 30m, 12h, 7d, or a date like 2030-01-31") from None
    return moment.astimezone(UTC)


def audit(
    since: Annotated[
        datetime | None,
        typer.Option(parser=_since, metavar="WHEN", help="30m, 12h, 7d, or a date and time."),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="A client of the API, or cli: and a name.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Like queue.paused; queue finds all of them.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, in UTC.")] = False,
) -> None:
    """Show who changed what, the oldest first; times are this machine's."""
    database = desk_database(configuration.load())
    found = entries(database, since, actor, action, limit)
    for entry in found:
        typer.echo(json.dumps(_plain(entry)) if as_json else _line(entry))
    if not found and not as_json:
        typer.echo("Nothing fits.")


def _plain(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": entry.at.isoformat()}


def _line(entry: Entry) -> str:
    detail = " ".join(f"{name}={value}" for name, value in entry.detail.items())
    cells = (
        f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
        f"{entry.actor:<16}",
        f"{entry.action:<20}",
        f"{entry.target or '-':<28}",
        f"{entry.outcome:<16}",
        f"{entry.address or '-':<18}",
        entry.request_id or "-",
        detail,
    )
    return "  ".join(cells).rstrip()

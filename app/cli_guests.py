"""``portiere guests`` and ``portiere bookings``: what is held about guests, and their rights."""

import json
from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.events.hearing import tell_erasure, tell_history
from app.events.outgoing import Events
from app.guests import rights as guest_rights
from app.guests.bookings import Bookings
from app.guests.guests import Guests
from app.guests.history import Heard
from app.guests.lines import BookingLine, GuestLine, Line, LineError, read, write
from app.guests.phones import PhoneError, e164
from app.messages import rights
from app.messages.rights import StillToSendError
from app.sealing import Seal
from app.store.database import Database

guests = typer.Typer(no_args_is_help=True, help="Guests: show, export, erase, put.")
bookings = typer.Typer(no_args_is_help=True, help="Bookings: put, list.")


def _phone(value: str) -> str:
    try:
        return e164(value)
    except PhoneError as error:
        raise typer.BadParameter(str(error)) from None


Phone = Annotated[str, typer.Argument(callback=_phone, help="With + and the country.")]
Lines = Annotated[
    typer.FileText, typer.Option("--json", help="A file with a JSON object a line; - is the input.")
]


@guests.command()
def show(phone: Phone) -> None:
    """Show who a guest is, what they booked and what they asked for, as JSON."""
    database, seal = _store()
    found = guest_rights.held(database, seal, seal.index(phone))
    if found["guest"] is None:
        raise _failure("No guest is known by this number.")
    shown = {part: found[part] for part in ("guest", "bookings", "requests")}
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@guests.command()
def export(phone: Phone) -> None:
    """Print all that is held about a guest, as JSON, to be handed to them."""
    found = rights.export(*_store(), phone)
    if found is None:
        raise _failure("Nothing is held about this number.")
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


@guests.command()
def erase(
    phone: Phone,
    force: Annotated[
        bool, typer.Option("--force", help="Cancel what is still to be sent to them.")
    ] = False,
) -> None:
    """Erase what is held about a guest. There is no way back, but for your backups."""
    try:
        database, seal = _store()
        told = partial(tell_erasure, _events(database, seal))
        erased = rights.erase(database, seal, phone, force=force, on_erased=told)
    except StillToSendError as error:
        raise _failure(str(error)) from None
    rows = ", ".join(f"{table} {count}" for table, count in sorted(erased.items()))
    typer.echo(f"Erased, rows by table: {rows}." if rows else "Nothing is held about this number.")


@guests.command("put")
def put_guests(lines: Lines) -> None:
    """Keep guests: all lines, or none if one is wrong. What a line leaves out stays as it was."""
    wanted = [line.guest() for line in _read(lines, GuestLine)]
    database, seal = _store()
    table = Guests(database, seal, _heard(database, seal))
    with database.transaction() as connection:
        for guest in wanted:
            table.put(connection, guest)
    typer.echo(f"Guests kept: {len(wanted)}.")


@bookings.command("put")
def put_bookings(lines: Lines) -> None:
    """Keep bookings: all lines, or none if one is wrong. What a line leaves out stays as it was."""
    wanted = [line.booking() for line in _read(lines, BookingLine)]
    database, seal = _store()
    table = Bookings(database, seal, _heard(database, seal))
    with database.transaction() as connection:
        for booking in wanted:
            table.upsert(connection, booking)
    typer.echo(f"Bookings kept: {len(wanted)}.")


@bookings.command("list")
def list_bookings() -> None:
    """Show the bookings that are neither over nor cancelled, by arrival, as JSON lines."""
    for booking in Bookings(*_store()).open_ones():
        typer.echo(write(booking))


def _read(lines: Iterable[str], kind: type[Line]) -> list[Line]:
    """All lines, or the end of the command at a wrong one."""
    try:
        return list(read(lines, kind))
    except LineError as error:
        raise _failure(f"Nothing was kept. {error}") from None


def _store() -> tuple[Database, Seal]:
    found = configuration.load()
    return desk_database(found), Seal(found.seal_key_bytes, found.index_key_bytes)


def _events(database: Database, seal: Seal) -> Events:
    return Events(database, seal, enabled=configuration.load().cloud_url is not None)


def _heard(database: Database, seal: Seal) -> Heard:
    """The cloud, where there is one."""
    return partial(tell_history, _events(database, seal))


def _failure(message: str) -> typer.Exit:
    """Say what is wrong; to be raised."""
    typer.echo(message, err=True)
    return typer.Exit(1)

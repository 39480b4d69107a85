"""``portiere desk …``: what the people at the desk do, until they have pages for it."""

from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer

from app import settings as configuration
from app.cli_database import see_that_it_leads
from app.cli_guests import Phone
from app.conversation import alerting
from app.conversation.property import PropertyError
from app.guests.request import RequestState
from app.messages.catalogue import CatalogueError
from app.messages.outbox import Draft
from app.messages.outgoing import Kind, Text
from app.work.desk import Desk, make_desk

cli = typer.Typer(help="Who waits for a person, and what is to be done.", no_args_is_help=True)
By = Annotated[str, typer.Option("--as", help="Your name, for the others at the desk.")]


@cli.command()
def waiting() -> None:
    """List the guests whom the bot has left to a person, the longest waiting first."""
    desk = _desk()
    held = desk.conversations.held()
    for one in held:
        since = one.held_since.astimezone(desk.facts.time_zone)
        guest = desk.guests.find_by_index(one.guest)
        who = alerting.who(guest.name, guest.phone) if guest else "a guest who was erased"
        taken = f"with {one.held_by}" if one.held_by else "nobody has answered yet"
        typer.echo(f"{who}  since {since:%d %b %H:%M}  {one.reason or ''}  {taken}")
    if not held:
        typer.echo("Nobody is waiting.")


@cli.command()
def take(phone: Phone, by: By = "the desk") -> None:
    """Take a conversation over: the bot is silent with this guest from now on."""
    desk = _desk()
    with desk.database.transaction() as connection:
        desk.conversations.take(connection, desk.seal.index(phone), by)
    typer.echo("It is yours. `portiere desk give-back` when you are done.")


@cli.command()
def give_back(phone: Phone) -> None:
    """Give a guest back to the bot."""
    desk = _desk()
    with desk.database.transaction() as connection:
        was_held = desk.conversations.give_back(connection, desk.seal.index(phone))
    typer.echo("The bot answers again." if was_held else "Nobody had taken this guest over.")


@cli.command()
def say(phone: Phone, text: str, by: By = "the desk") -> None:
    """Write to a guest as a person; this takes the conversation over."""
    desk = _desk()
    guest = desk.guests.find(phone)
    with desk.database.transaction() as connection:
        desk.conversations.person_wrote(connection, desk.seal.index(phone), by)
        outbox_id = desk.outbox.add(
            connection,
            Draft(
                key=f"person-{uuid4().hex}",
                phone=phone,
                kind=Kind.PERSON,
                message=Text(text),
                language=guest.language if guest and guest.language else "en",
            ),
        )
    typer.echo(f"It goes out as message {outbox_id} within seconds, if WhatsApp's 24 hours allow.")


@cli.command()
def requests() -> None:
    """List what guests have asked for and accepted, and nobody has seen to."""
    desk = _desk()
    found = desk.requests.waiting()
    for one in found:
        when = one.created_at.astimezone(desk.facts.time_zone)
        price = f"  {one.price} {one.currency}" if one.price is not None else ""
        typer.echo(
            f"{one.request_id}  {when:%d %b %H:%M}  {one.phone}  {one.kind} ({one.state})"
            f"{price}  “{one.detail}”"
        )
    if not found:
        typer.echo("Nothing is open.")


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"


@cli.command()
def close(request_id: int, outcome: Outcome = Outcome.DONE, by: By = "the desk") -> None:
    """Close a request; tell the guest with `portiere desk say`."""
    desk = _desk()
    with desk.database.transaction() as connection:
        closed = (
            desk.requests.close(connection, request_id, RequestState.DONE, by)
            if outcome is Outcome.DONE
            else desk.requests.close(connection, request_id, RequestState.REFUSED, by)
        )
    if not closed:
        typer.echo(f"There is no open request {request_id}: portiere desk requests.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Request {request_id} is {outcome}.")


def _desk() -> Desk:
    try:
        found = configuration.load()
        see_that_it_leads(found)
        return make_desk(found)
    except (PropertyError, CatalogueError) as error:
        typer.echo(f"portiere: {error}", err=True)
        raise typer.Exit(1) from None

"""``portiere dead-letters …``: what was given up; sent on its way again, or discarded."""

import getpass
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.messages import audit
from app.messages.dead_letters import DeadLetters, LetterKind, Replay, Sieve
from app.sealing import Seal
from app.store.database import Database

letters = typer.Typer(
    no_args_is_help=True, help="What was given up: list, show, replay, replay-all, discard."
)
By = Annotated[str, typer.Option("--as", help="Your name, for the others.", show_default=False)]
Kind = Annotated[LetterKind | None, typer.Option(help="Only of this kind.")]
Note = Annotated[str | None, typer.Option(help="Only with this in their note.")]
Days = Annotated[float | None, typer.Option("--older-than", help="Only older than so many days.")]


@letters.command("list")
def list_letters(kind: Kind = None, note: Note = None, older_than: Days = None) -> None:
    """Show what was given up and why, as JSON lines; nothing of what it says."""
    _, found = _open()
    for letter in found.all(_sieve(kind, note, older_than)):
        line = {
            "kind": letter.kind,
            "id": letter.row_id,
            "what": letter.what,
            "state": letter.state,
            "note": letter.note,
            "attempts": letter.attempts,
            "since": letter.since.isoformat(),
        }
        typer.echo(json.dumps(line, ensure_ascii=False))


@letters.command()
def show(
    kind: LetterKind,
    row_id: int,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With what it says: it is a guest's, be alone.")
    ] = False,
    by: By = "",
) -> None:
    """Show one of them as JSON, without what it says unless you ask for it."""
    database, found = _open()
    shown = found.show(kind, row_id, reveal=reveal)
    if shown is None:
        raise _unknown(kind, row_id)
    if reveal:
        with database.transaction() as connection:
            target = f"{kind}:{row_id}"
            audit.record(connection, actor=_who(by), action="dead_letter.revealed", target=target)
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


@letters.command()
def replay(
    kind: LetterKind,
    row_id: int,
    in_doubt: Annotated[
        bool, typer.Option("--in-doubt", help="Even if it was perhaps sent: you have looked.")
    ] = False,
    by: By = "",
) -> None:
    """Send one of them on its way again."""
    became = _replay(*_open(), kind, row_id, _who(by), in_doubt=in_doubt)
    if became is Replay.GONE:
        raise _unknown(kind, row_id)
    if became is Replay.IN_DOUBT:
        typer.echo(
            "Nobody knows whether the guest got it. Look at their phone's side, then --in-doubt.",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"{kind} {row_id} is on its way again.")


@letters.command()
def replay_all(kind: Kind = None, note: Note = None, older_than: Days = None, by: By = "") -> None:
    """Send all of them on their way again, or those that fit; not what was perhaps sent."""
    database, found = _open()
    became = Counter(
        _replay(database, found, letter.kind, letter.row_id, _who(by))
        for letter in found.all(_sieve(kind, note, older_than))
    )
    typer.echo(f"On their way again: {became[Replay.REPLAYED]}.")
    if became[Replay.IN_DOUBT]:
        typer.echo(f"Perhaps sent, left as they are: {became[Replay.IN_DOUBT]}.")


@letters.command()
def discard(
    kind: LetterKind,
    row_id: int,
    reason: Annotated[str, typer.Option(help="Why, for the others; nothing of a guest.")],
    by: By = "",
) -> None:
    """Take one of them off the list: nothing is to be done about it."""
    database, found = _open()
    who = _who(by)
    with database.transaction() as connection:
        discarded = found.discard(connection, kind, row_id, who, reason)
        if discarded:
            audit.record(
                connection,
                actor=who,
                action="dead_letter.discarded",
                target=f"{kind}:{row_id}",
                detail={"reason": reason},
            )
    if not discarded:
        raise _unknown(kind, row_id)
    typer.echo(f"{kind} {row_id} is discarded.")


def _replay(  # noqa: PLR0913 - which letter of which store, and who wants it
    database: Database,
    found: DeadLetters,
    kind: LetterKind,
    row_id: int,
    who: str,
    *,
    in_doubt: bool = False,
) -> Replay:
    with database.transaction() as connection:
        became = found.replay(connection, kind, row_id, in_doubt=in_doubt)
        if became is Replay.REPLAYED:
            target = f"{kind}:{row_id}"
            audit.record(connection, actor=who, action="dead_letter.replayed", target=target)
    return became


def _sieve(kind: LetterKind | None, note: str | None, older_than: float | None) -> Sieve:
    before = None if older_than is None else datetime.now(UTC) - timedelta(days=older_than)
    return Sieve(kind, note, before)


def _who(by: str) -> str:
    return f"cli:{by or getpass.getuser()}"


def _open() -> tuple[Database, DeadLetters]:
    found = configuration.load()
    database = desk_database(found)
    return database, DeadLetters(database, Seal(found.seal_key_bytes, found.index_key_bytes))


def _unknown(kind: LetterKind, row_id: int) -> typer.Exit:
    """Say that there is none; to be raised."""
    typer.echo(f"{kind} {row_id} is no dead letter: portiere dead-letters list.", err=True)
    return typer.Exit(1)

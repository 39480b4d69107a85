"""Carrying a command out: its effects, its mark `done` and its report, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.commands.asked import payload_of
from app.commands.office import Done, Office, Order, RefusedError
from app.commands.registry import COMMANDS, CommandName
from app.commands.store import CommandRow, Commands
from app.conversation import alerting
from app.conversation.alerting import Alert
from app.events.outgoing import Events
from app.store.database import Connection

# What the cloud is told; the same name as in app.events.catalogue.
FINISHED: Final = "command.finished"
GAVE_UP: Final = "gave_up"
INVALID: Final = "invalid"


@dataclass(frozen=True)
class Ended:
    """How a command ended: ``outcome`` is its result, or ``{code, detail}``."""

    state: Literal["done", "failed"]
    outcome: Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """What the cloud is told of it; ``event_id`` where it may be told but once."""

    command_id: str
    state: Literal["done", "failed"]
    outcome: Mapping[str, Any]
    guest: bytes | None = None
    event_id: str | None = None


@dataclass(frozen=True)
class Ran:
    """What is to be done next: rows of the outbox to be sent, commands that waited for this one."""

    state: Literal["done", "failed"] | None = None
    outbox: tuple[int, ...] = ()
    commands: tuple[int, ...] = ()


def run_command(office: Office, commands: Commands, row_id: int) -> Ran:
    """Carry out the command of ``row_id`` if it is open and its turn has come.

    The write lock is held from reading the row to marking it: nobody else carries it out, and a
    crash anywhere leaves it open with nothing done.
    """
    with office.database.transaction() as connection:
        row = commands.open_row(connection, row_id)
        if row is None:
            return Ran()
        try:
            done = _handle(office, connection, row)
        except RefusedError as refused:
            ended = Ended("failed", {"code": refused.code, "detail": refused.detail})
            following = _finish(office, commands, connection, row, ended)
            return Ran("failed", commands=following)
        following = _finish(office, commands, connection, row, Ended("done", done.result))
    return Ran("done", done.outbox, following)


def failed_once_more(office: Office, commands: Commands, row_id: int, reason: str) -> bool:
    """Note that carrying out raised ``reason``; False once the command is given up.

    Then the desk is alerted, and who asked is told.
    """
    with office.database.transaction() as connection:
        row = commands.postpone(connection, row_id, reason)
        if row is None:
            return True
        error = {"code": GAVE_UP, "detail": f"it failed {row.attempts} times ({reason})"}
        report(office.events, connection, Report(row.command_id, "failed", error, row.guest))
        office.alerts.raise_alert(
            connection,
            key=f"{Alert.COMMAND_DEAD}:{row.command_id}",
            kind=Alert.COMMAND_DEAD,
            guest=row.guest,
            text=alerting.text(
                Alert.COMMAND_DEAD, office.facts.default_language, name=row.name, reason=reason
            ),
        )
    return False


def report(events: Events, connection: Connection, said: Report) -> None:
    """Write down for the cloud what came of a command, in the caller's transaction."""
    outcome = {"result" if said.state == "done" else "error": said.outcome}
    payload = {"id": said.command_id, "state": said.state, **outcome}
    events.record(connection, FINISHED, payload, said.guest, said.event_id)


def _handle(office: Office, connection: Connection, row: CommandRow) -> Done:
    """What the handler did; nothing of it if it refused."""
    payload = payload_of(row.name, row.payload)
    handler = COMMANDS[CommandName(row.name)].handler
    connection.execute("SAVEPOINT handler")
    try:
        done = handler(office, connection, Order(row.command_id, row.client), payload)
    except RefusedError:
        connection.execute("ROLLBACK TO handler")
        raise
    finally:
        connection.execute("RELEASE handler")
    return done


def _finish(
    office: Office, commands: Commands, connection: Connection, row: CommandRow, ended: Ended
) -> tuple[int, ...]:
    """Close the row and report it; the commands that waited for it."""
    following = commands.followers(connection, row.row_id)
    commands.finish(connection, row, ended.state, ended.outcome)
    report(office.events, connection, Report(row.command_id, ended.state, ended.outcome, row.guest))
    return following

"""Pushed commands that only a former leader's database has, and that nobody has carried out.

Those of the cloud come again by themselves: it offers them until it has heard what became of them.
"""

import json
from collections.abc import Iterator
from typing import Final

from app.commands.asked import read
from app.commands.store import CameBy, Commands, Sender, Taken
from app.sealing import Seal
from app.store.database import Connection
from app.store.handed import Handed, Tail


class Command(Handed):
    """A command as it was pushed; its payload is sealed."""

    command_id: str
    client: str
    idempotency_key: str
    name: str
    sealed_payload: bytes
    request_id: str | None


def commands(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, Command]]:
    """Commands that are still to be carried out, with the row's id."""
    for row in connection.execute(_COMMANDS, tail.of("commands", after)):
        columns = dict(row)
        yield columns.pop("id"), Command(**columns)


def keep_command(connection: Connection, seal: Seal, kept: Commands, one: Command) -> Taken:
    """Keep a command unless it is here, in the caller's transaction.

    Raises :class:`app.sealing.SealError`, and pydantic.ValidationError where this release
    doesn't know such a command.
    """
    payload = seal.open(one.sealed_payload, f"commands.payload:{one.command_id}")
    content = {"id": one.command_id, "name": one.name, "payload": json.loads(payload)}
    sender = Sender(one.client, one.idempotency_key, CameBy.PUSH, one.request_id)
    taken: Taken = kept.accept(one.command_id, read(json.dumps(content)), sender)(connection)
    return taken


_COMMANDS: Final = """
SELECT id, command_id, client, idempotency_key, name, sealed_payload, request_id FROM commands
WHERE id > :after AND state = 'received' AND came_by = 'push'
AND (id > :known OR received_at >= :cut)
ORDER BY id
"""

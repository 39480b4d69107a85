"""What only a former leader's database may have of messages: as it is read there.

`app.messages.handed_in` is the other side.
"""

from collections.abc import Iterator
from typing import Final, Literal

from app.messages.unfinished import NO_ECHO
from app.store.database import Connection
from app.store.handed import Handed, Tail


class SendOutcome(Handed):
    """What became of a message that was handed to the provider, or perhaps was (``unknown``)."""

    idempotency_key: str
    guest: bytes
    provider_id: str | None
    state: Literal["sent", "delivered", "read", "failed", "unknown"]
    attempts: int
    note: str | None


class InboxEvent(Handed):
    """An event that was accepted. ``in_doubt``: perhaps it is answered."""

    source: str
    event_id: str
    sealed_body: bytes
    received_at: int
    in_doubt: bool


class Message(Handed):
    """A message that nothing makes anew here: a person wrote it, or a client's command."""

    idempotency_key: str
    guest: bytes
    kind: str
    lane: str
    sealed_phone: bytes
    sealed_message: bytes
    template: str | None
    purpose: str | None
    country: str | None
    language: str
    dedupe_key: str | None
    sent_as: str | None
    state: Literal["pending", "sending", "unknown", "sent", "delivered", "read", "failed"]
    note: str | None
    provider_id: str | None
    attempts: int
    created_at: int
    not_before: int
    sending_at: int | None
    sent_at: int | None
    delivered_at: int | None
    read_at: int | None


class Held(Handed):
    """A conversation that a person took; one that the bot gave up is given up again."""

    guest: bytes
    held_by: str
    reason: str | None
    held_since: int
    answered_at: int | None


class ToldEvent(Handed):
    """What a tool at the property told the cloud: nothing makes it anew."""

    event_id: str
    name: str
    guest: bytes | None
    sealed_payload: bytes
    created_at: int


def highest_ids(connection: Connection) -> dict[str, int]:
    """The highest id of each table: for ``ids`` in the note of a term that begins with this file.

    To be asked before the first row of the term is written, in the transaction that begins it.
    """
    (row,) = connection.execute(_HIGHEST).fetchall()
    return dict(row)


def found_after(connection: Connection, term: int) -> str | None:
    """What was found when the first term after ``term`` began: the note of that term."""
    rows = connection.execute(
        "SELECT note FROM terms WHERE term > ? ORDER BY term LIMIT 1", (term,)
    ).fetchall()
    return rows[0]["note"] if rows else None


def outcomes(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, SendOutcome]]:
    """What became of messages, with the row's id; those to the desk's own phone are not told of."""
    for row in connection.execute(_OUTCOMES, {**tail.of("outbox", after), "no_echo": NO_ECHO}):
        columns = dict(row)
        yield columns.pop("id"), SendOutcome(**columns)


def reports(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, InboxEvent]]:
    """Events that are no guest's message: what they say of sends must be known before those."""
    yield from _events(connection, f"{_EVENTS} AND guest IS NULL ORDER BY id", tail, after)


def messages(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, InboxEvent]]:
    """What guests wrote."""
    yield from _events(connection, f"{_EVENTS} AND guest IS NOT NULL ORDER BY id", tail, after)


def written(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, Message]]:
    """Messages that nothing makes anew where the leader lacks them."""
    for row in connection.execute(_WRITTEN, tail.of("outbox", after)):
        columns = dict(row)
        yield columns.pop("id"), Message(**columns)


def held(connection: Connection, tail: Tail, _after: int) -> Iterator[tuple[int, Held]]:
    """Conversations that a person took lately; few at a time, so they have no place to go on at."""
    for row in connection.execute(_HELD, tail.of("conversations")):
        yield 0, Held(**dict(row))


def told(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, ToldEvent]]:
    """What tools told the cloud, and the cloud perhaps never heard."""
    for row in connection.execute(_TOLD, tail.of("cloud_events", after)):
        columns = dict(row)
        yield columns.pop("id"), ToldEvent(**columns)


def _events(
    connection: Connection, sql: str, tail: Tail, after: int
) -> Iterator[tuple[int, InboxEvent]]:
    for row in connection.execute(sql, tail.of("inbox", after)):
        columns = dict(row)
        in_doubt = bool(columns.pop("in_doubt"))
        yield columns.pop("id"), InboxEvent(**columns, in_doubt=in_doubt)


_HIGHEST: Final = """
SELECT coalesce((SELECT max(id) FROM inbox), 0) AS inbox,
       coalesce((SELECT max(id) FROM outbox), 0) AS outbox,
       coalesce((SELECT max(id) FROM commands), 0) AS commands,
       coalesce((SELECT max(id) FROM cloud_events), 0) AS cloud_events,
       coalesce((SELECT max(id) FROM guests), 0) AS guests,
       coalesce((SELECT max(id) FROM bookings), 0) AS bookings,
       coalesce((SELECT max(id) FROM requests), 0) AS requests
"""

# Refused and surely not sent: whoever leads may try itself. The rules' refusals are its own, too.
_OUTCOMES: Final = """
SELECT id, idempotency_key, guest, provider_id, attempts, note,
       CASE WHEN state = 'sending' THEN 'unknown' ELSE state END AS state
FROM outbox
WHERE id > :after AND kind <> 'desk'
AND (state IN ('sent', 'delivered', 'read', 'sending', 'unknown')
     OR (state = 'failed' AND (provider_id IS NOT NULL OR instr(note, :no_echo) = 1)))
AND (id > :known OR max(created_at, coalesce(sending_at, 0), coalesce(sent_at, 0),
                        coalesce(delivered_at, 0), coalesce(read_at, 0)) >= :cut)
ORDER BY id
"""

_EVENTS: Final = """
SELECT id, source, event_id, sealed_body, received_at,
       id IN (SELECT inbox_id FROM outbox WHERE state IN ('sending', 'unknown')) AS in_doubt
FROM inbox WHERE id > :after AND (id > :known OR received_at >= :cut)
"""

# The cloud offers its commands until it has heard what became of them; other clients don't.
_WRITTEN: Final = """
SELECT id, idempotency_key, guest, kind, lane, sealed_phone, sealed_message, template, purpose,
       country, language, dedupe_key, sent_as, state, note, provider_id, attempts, created_at,
       not_before, sending_at, sent_at, delivered_at, read_at
FROM outbox
WHERE id > :after AND state <> 'refused' AND inbox_id IS NULL
AND (id > :known OR created_at >= :cut)
AND (kind = 'person' OR EXISTS (
    SELECT 1 FROM commands WHERE client <> 'cloud' AND came_by = 'push' AND commands.state = 'done'
    AND instr(outbox.idempotency_key || ':', 'command:' || command_id || ':') = 1
))
ORDER BY id
"""

_HELD: Final = """
SELECT guest, held_by, reason, held_since, answered_at FROM conversations
WHERE holder = 'person' AND held_by IS NOT NULL
AND max(held_since, coalesce(answered_at, 0)) >= :cut
"""

_TOLD: Final = """
SELECT id, event_id, name, guest, sealed_payload, created_at FROM cloud_events
WHERE id > :after AND substr(name, 1, 7) = 'custom.' AND (id > :known OR created_at >= :cut)
ORDER BY id
"""

"""Who speaks with a guest, the bot or a person, and what the talk was last about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from app.store.database import Connection, Database, Row, from_ms, milliseconds, now_ms

# "And at what time?" an hour later is about something else.
TOPIC_LASTS = timedelta(minutes=30)


@dataclass(frozen=True)
class Conversation:
    """How a conversation stands. ``held_since``: since when the bot leaves it to a person;
    ``held_by``: the person who took it, None while nobody has. ``topic``: an intent's name."""

    held_since: datetime | None = None
    held_by: str | None = None
    topic: str | None = None


@dataclass(frozen=True)
class Held:
    """A guest who is left to a person. ``answered_at``: when a person last wrote to them."""

    guest: bytes
    reason: str | None
    held_by: str | None
    held_since: datetime
    answered_at: datetime | None
    reminders: int


@dataclass(frozen=True)
class Moved:
    """A conversation went to a person, for ``reason`` if the bot gave it, or back to the bot."""

    guest: bytes
    to_person: bool
    reason: str | None = None


MovedHook: TypeAlias = Callable[[Connection, Moved], None]


def nobody(_connection: Connection, _moved: Moved) -> None:
    """Nobody is to be told."""


class Conversations:
    """The conversations table. A guest is given by the blind index of their phone.

    ``on_moved`` is called in the transaction in which the holder of a conversation changes.
    """

    def __init__(self, database: Database, on_moved: MovedHook = nobody) -> None:
        self._database = database
        self._on_moved = on_moved

    def of(self, guest: bytes) -> Conversation:
        """How the guest's conversation stands; a fresh one if there was none."""
        row = self._database.one(
            "SELECT holder, held_by, held_since, topic, topic_at FROM conversations "
            "WHERE guest = ?",
            (guest,),
        )
        if row is None:
            return Conversation()
        is_held = row["holder"] == "person"
        is_lately = row["topic_at"] is not None and row["topic_at"] + milliseconds(TOPIC_LASTS) > (
            now_ms()
        )
        return Conversation(
            held_since=from_ms(row["held_since"]) if is_held else None,
            held_by=row["held_by"] if is_held else None,
            topic=row["topic"] if is_lately else None,
        )

    def remember_topic(self, connection: Connection, guest: bytes, topic: str) -> None:
        """Note what was just answered."""
        connection.execute(
            "INSERT INTO conversations (guest, topic, topic_at) VALUES (:guest, :topic, :now) "
            "ON CONFLICT (guest) DO UPDATE SET topic = :topic, topic_at = :now",
            {"guest": guest, "topic": topic, "now": now_ms()},
        )

    def hand_over(self, connection: Connection, guest: bytes, reason: str) -> None:
        """The bot has said its last word; a person is to go on. Nothing changes if one has."""
        if _is_held(connection, guest):
            return
        connection.execute(
            _HOLD + "ON CONFLICT (guest) DO UPDATE SET holder = 'person', held_by = NULL, "
            "reason = :reason, held_since = :now, reminded_at = NULL, reminders = 0",
            {"guest": guest, "by": None, "reason": reason, "now": now_ms()},
        )
        self._on_moved(connection, Moved(guest, to_person=True, reason=reason))

    def take(self, connection: Connection, guest: bytes, by: str) -> None:
        """A person takes the conversation over: the bot is silent from now on."""
        was_held = _is_held(connection, guest)
        connection.execute(
            _HOLD + "ON CONFLICT (guest) DO UPDATE SET held_by = :by, "
            "held_since = CASE WHEN holder = 'person' THEN held_since ELSE :now END, "
            "reminders = CASE WHEN holder = 'person' THEN reminders ELSE 0 END, "
            "holder = 'person'",
            {"guest": guest, "by": by, "reason": None, "now": now_ms()},
        )
        if not was_held:
            self._on_moved(connection, Moved(guest, to_person=True))

    def person_wrote(self, connection: Connection, guest: bytes, by: str) -> None:
        """A person wrote to the guest, and so has taken the conversation over."""
        self.take(connection, guest, by)
        connection.execute(
            "UPDATE conversations SET answered_at = ?, reminded_at = NULL, reminders = 0 "
            "WHERE guest = ?",
            (now_ms(), guest),
        )

    def give_back(self, connection: Connection, guest: bytes) -> bool:
        """The bot answers again; False if nobody held the conversation."""
        changed = connection.execute(
            "UPDATE conversations SET holder = 'bot', held_by = NULL, held_since = NULL, "
            "reason = NULL, reminded_at = NULL, reminders = 0, topic = NULL "
            "WHERE guest = ? AND holder = 'person'",
            (guest,),
        )
        if changed.rowcount != 1:
            return False
        self._on_moved(connection, Moved(guest, to_person=False))
        return True

    def held(self) -> list[Held]:
        """Every conversation that is left to a person, the longest first."""
        rows = self._database.all(
            "SELECT guest, reason, held_by, held_since, answered_at, reminders FROM conversations "
            "WHERE holder = 'person' ORDER BY held_since"
        )
        return [_held(row) for row in rows]

    def to_remind(self, after: timedelta, most: int) -> list[Held]:
        """Conversations in which the guest has waited for a person longer than ``after``, since
        the last reminder too; ``most`` reminders are made of each wait."""
        rows = self._database.all(
            _UNANSWERED, {"before": now_ms() - milliseconds(after), "most": most}
        )
        return [_held(row) for row in rows]

    def reminded(self, connection: Connection, guest: bytes) -> None:
        """A reminder went out."""
        connection.execute(
            "UPDATE conversations SET reminded_at = ?, reminders = reminders + 1 WHERE guest = ?",
            (now_ms(), guest),
        )


def _is_held(connection: Connection, guest: bytes) -> bool:
    rows = connection.execute(
        "SELECT 1 FROM conversations WHERE guest = ? AND holder = 'person'", (guest,)
    ).fetchall()
    return bool(rows)


def _held(row: Row) -> Held:
    answered_at = row["answered_at"]
    return Held(
        guest=row["guest"],
        reason=row["reason"],
        held_by=row["held_by"],
        held_since=from_ms(row["held_since"]),
        answered_at=None if answered_at is None else from_ms(answered_at),
        reminders=row["reminders"],
    )


_HOLD = """
INSERT INTO conversations (guest, holder, held_by, reason, held_since)
VALUES (:guest, 'person', :by, :reason, :now)
"""

# A wait begins with the handing over, and anew with each message of the guest's since an answer.
_UNANSWERED = """
SELECT guest, reason, held_by, held_since, answered_at, reminders
FROM conversations AS talk
WHERE holder = 'person' AND reminders < :most
AND max(held_since, coalesce(reminded_at, 0)) <= :before
AND (answered_at IS NULL OR answered_at < (
    SELECT received_at FROM inbox WHERE inbox.guest = talk.guest ORDER BY id DESC LIMIT 1
))
"""

"""A desk's database with something in it: guests, bookings, messages, commands, all invented."""

import base64
from pathlib import Path
from typing import Final

from app.sealing import Seal
from app.settings import Settings
from app.store.database import Connection, open_database
from tests.support.processes import PROPERTY

KEY: Final = base64.b64encode(b"k" * 32).decode()
OTHER_KEY: Final = base64.b64encode(b"o" * 32).decode()


def settings_of(directory: Path, **given: object) -> Settings:
    """A machine's settings with ``given`` ones, by their names in the class."""
    directory.mkdir(exist_ok=True)
    return Settings.model_validate(
        {
            "database": directory / "portiere.db",
            "property_file": PROPERTY,
            "spoki_api_key": "invented-key",
            "spoki_webhook_secret": "invented-secret",
            "seal_keys": f"k1:{KEY}",
            "index_key": KEY,
            **given,
        }
    )


def furnish(settings: Settings, guests: int = 40) -> None:
    """Make the database, with rows in most tables; no process has it open afterwards."""
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    database = open_database(settings.database)
    with database.transaction() as connection:
        for number in range(guests):
            _guest(connection, seal, number)
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close_all()


def _guest(connection: Connection, seal: Seal, number: int) -> None:
    phone = f"+39000{number:06d}"
    guest = seal.index(phone)
    event, command = f"event-{number}", f"command-{number}"

    def sealed(text: str, column: str, key: str) -> bytes:
        return seal.seal(text, f"{column}:{key}")

    connection.execute(
        "INSERT INTO guests (guest, sealed_phone, sealed_name, language, created_at, updated_at) "
        "VALUES (?, ?, ?, 'it', ?, ?)",
        (
            guest,
            sealed(phone, "guests.phone", guest.hex()),
            sealed(f"Ospite {number}", "guests.name", guest.hex()),
            number,
            number,
        ),
    )
    booking = connection.execute(
        "INSERT INTO bookings (channel, code, guest, unit, arrival, status, created_at, updated_at)"
        " VALUES ('direct', ?, ?, ?, '2026-12-24', 'confirmed', 0, 0)",
        (f"B-{number}", guest, f"Room {number}"),
    ).lastrowid
    inbox = connection.execute(
        "INSERT INTO inbox (source, event_id, event, guest, sealed_body, state, received_at, "
        "next_at) VALUES ('spoki', ?, 'message', ?, ?, 'done', ?, 0)",
        (event, guest, sealed("Buongiorno! " * 20, "inbox.body", event), number),
    ).lastrowid
    connection.execute(
        "INSERT INTO outbox (idempotency_key, inbox_id, guest, kind, lane, sealed_phone, "
        "sealed_message, language, state, created_at, not_before, next_at) "
        "VALUES (?, ?, ?, 'reply', 'talk', ?, ?, 'it', 'sent', 0, 0, 0)",
        (
            event,
            inbox,
            guest,
            sealed(phone, "outbox.phone", event),
            sealed("Buongiorno a Lei! " * 20, "outbox.message", event),
        ),
    )
    connection.execute(
        "INSERT INTO history (guest, booking_id, at, actor, event) "
        "VALUES (?, ?, ?, 'portiere', 'booking_changed')",
        (guest, booking, number),
    )
    connection.execute(
        "INSERT INTO commands (command_id, client, idempotency_key, digest, name, sealed_payload, "
        "state, came_by, received_at, next_at) "
        "VALUES (?, 'cloud', ?, x'00', 'SEND_MESSAGE', ?, 'done', 'push', 0, 0)",
        (command, command, sealed("{}", "commands.payload", command)),
    )

"""The guests table: who writes, by the blind index of their phone."""

from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

from app.guests import history
from app.guests.guest import Consent, Guest
from app.guests.history import GUEST, PORTIERE, Entry, Heard, changes_between, nobody
from app.guests.phones import possible_e164
from app.sealing import Seal
from app.store.database import Connection, Database, Row, from_ms, now_ms, to_ms


class Guests:
    """The guests table. Phones are E.164; every change leaves a row in the history."""

    def __init__(self, database: Database, seal: Seal, heard: Heard = nobody) -> None:
        self._database = database
        self._seal = seal
        self._heard = heard

    def find(self, phone: str) -> Guest | None:
        """The guest with this phone, if one is known."""
        return self._read(self._database.connection, phone)

    def find_by_index(self, guest: bytes) -> Guest | None:
        """The guest of this blind index, as other tables name them."""
        row = self._database.one("SELECT * FROM guests WHERE guest = ?", (guest,))
        return None if row is None else self._opened(row)

    def seen(
        self,
        connection: Connection,
        phone: str,
        name: str | None = None,
        language: str | None = None,
    ) -> None:
        """Somebody wrote, in ``language`` if that is known.

        ``name`` is what they call themselves on WhatsApp: good enough where there is none, and
        never better than the one they booked under.
        """
        before = self._read(connection, phone)
        held = before or Guest(phone)
        after = replace(held, name=held.name or name, language=language or held.language)
        self._write(connection, before, after, GUEST)

    def put(self, connection: Connection, guest: Guest, actor: str = PORTIERE) -> None:
        """Keep what is known of a guest; what is None in ``guest`` stays as it was.

        Consent is taken over where none is held, or where ``consent_at`` is later than what is
        held: an old booking must not bring back what a guest has withdrawn since. Raises
        :class:`app.guests.phones.PhoneError`.
        """
        guest = replace(guest, phone=possible_e164(guest.phone))
        before = self._read(connection, guest.phone)
        after = guest if before is None else _merged(before, guest)
        self._write(connection, before, after, actor)

    def set_consent(
        self, connection: Connection, phone: str, consent: Consent, source: str
    ) -> bool:
        """The guest gave or withdrew consent just now; False if they had already."""
        before = self._read(connection, phone)
        if before is not None and before.consent is consent:
            return False
        after = replace(
            before or Guest(phone),
            consent=consent,
            consent_source=source,
            consent_at=from_ms(now_ms()),
        )
        self._write(connection, before, after, GUEST)
        return True

    def set_language(self, connection: Connection, phone: str, language: str) -> None:
        """The language to write to them in, ISO 639-1."""
        before = self._read(connection, phone)
        self._write(connection, before, replace(before or Guest(phone), language=language), GUEST)

    def set_time_zone(self, connection: Connection, phone: str, zone: ZoneInfo) -> None:
        """Where their clock is."""
        before = self._read(connection, phone)
        self._write(connection, before, replace(before or Guest(phone), time_zone=zone), GUEST)

    def _read(self, connection: Connection, phone: str) -> Guest | None:
        rows = connection.execute(FIND, (self._seal.index(phone),)).fetchall()
        return self._opened(rows[0]) if rows else None

    def _write(
        self, connection: Connection, before: Guest | None, after: Guest, actor: str
    ) -> None:
        if before == after:
            return
        index = self._seal.index(after.phone)
        connection.execute(_UPSERT, {**self._columns(index, after), "now": now_ms()})
        event = "guest_created" if before is None else "guest_changed"
        known = {} if before is None else _told(before)
        entry = Entry(event, actor, index, changes=changes_between(known, _told(after)))
        history.write(connection, self._seal, entry, self._heard)

    def _columns(self, index: bytes, guest: Guest) -> dict[str, Any]:
        return {
            "guest": index,
            "sealed_phone": self._seal.seal(guest.phone, _context("phone", index)),
            "sealed_name": self._sealed(guest.name, _context("name", index)),
            "sealed_email": self._sealed(guest.email, _context("email", index)),
            "language": guest.language,
            "time_zone": guest.time_zone.key if guest.time_zone else None,
            "consent": guest.consent,
            "consent_source": guest.consent_source,
            "consent_at": to_ms(guest.consent_at) if guest.consent_at else None,
        }

    def _sealed(self, plain: str | None, context: str) -> bytes | None:
        return None if plain is None else self._seal.seal(plain, context)

    def _opened(self, row: Row) -> Guest:
        index = row["guest"]
        name, email = row["sealed_name"], row["sealed_email"]
        zone, consent_at = row["time_zone"], row["consent_at"]
        return Guest(
            phone=self._seal.open(row["sealed_phone"], _context("phone", index)),
            name=None if name is None else self._seal.open(name, _context("name", index)),
            email=None if email is None else self._seal.open(email, _context("email", index)),
            language=row["language"],
            time_zone=None if zone is None else ZoneInfo(zone),
            consent=Consent(row["consent"]),
            consent_source=row["consent_source"],
            consent_at=None if consent_at is None else from_ms(consent_at),
        )


def phone_of(seal: Seal, row: Row) -> str:
    """The phone in a row that was joined with its guest's ``sealed_phone``."""
    return seal.open(row["sealed_phone"], _context("phone", row["guest"]))


def _merged(held: Guest, new: Guest) -> Guest:
    merged = replace(
        held,
        name=new.name or held.name,
        email=new.email or held.email,
        language=new.language or held.language,
        time_zone=new.time_zone or held.time_zone,
    )
    if not _consent_is_news(held, new):
        return merged
    return replace(
        merged,
        consent=new.consent,
        consent_source=new.consent_source,
        consent_at=new.consent_at,
    )


def _consent_is_news(held: Guest, new: Guest) -> bool:
    if new.consent is Consent.UNKNOWN or new.consent is held.consent:
        return False
    if held.consent is Consent.UNKNOWN:
        return True
    if held.consent_at is None or new.consent_at is None:
        return False
    return new.consent_at > held.consent_at


def _told(guest: Guest) -> dict[str, Any]:
    """What the history tells of; the phone is what the guest is known by, and never changes."""
    return {field: value for field, value in asdict(guest).items() if field != "phone"}


def _context(column: str, index: bytes) -> str:
    return f"guests.{column}:{index.hex()}"


FIND = "SELECT * FROM guests WHERE guest = ?"

_UPSERT = """
INSERT INTO guests (guest, sealed_phone, sealed_name, sealed_email, language, time_zone, consent,
                    consent_source, consent_at, created_at, updated_at)
VALUES (:guest, :sealed_phone, :sealed_name, :sealed_email, :language, :time_zone, :consent,
        :consent_source, :consent_at, :now, :now)
ON CONFLICT (guest) DO UPDATE SET
    sealed_name = excluded.sealed_name, sealed_email = excluded.sealed_email,
    language = excluded.language, time_zone = excluded.time_zone, consent = excluded.consent,
    consent_source = excluded.consent_source, consent_at = excluded.consent_at,
    updated_at = excluded.updated_at
"""

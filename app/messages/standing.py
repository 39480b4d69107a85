"""What the rules of sending go by, read in the transaction that sends."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from phonenumbers import parse
from phonenumbers.timezone import time_zones_for_number

from app.guests.guest import Consent
from app.messages.outgoing import Kind
from app.messages.rules import AWAKE, SentAs, Standing
from app.store.database import Connection, Row, from_ms, milliseconds, now_ms, to_ms

MINUTE = timedelta(minutes=1)
# Spoki's figures are of hearsay (a comment of 2024), and a guest should not wait for hearsay: the
# limit of texts is kept once the provider has said 429, for so long.
LIMITED_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Limits:
    """What the provider takes in a minute."""

    texts: int
    templates: int


@dataclass(frozen=True)
class Surroundings:
    """What standing is read with, the same for all messages."""

    limits: Limits
    property_zone: ZoneInfo


def read(connection: Connection, row: Row, phone: str, around: Surroundings) -> Standing:
    """How things stand for the outbox row ``row`` to ``phone``."""
    now = now_ms()
    found = connection.execute(
        _STANDING,
        {"id": row["id"], "guest": row["guest"], "dedupe_key": row["dedupe_key"], "now": now},
    ).fetchone()
    kind = Kind(row["kind"])
    is_notice = kind is Kind.NOTICE
    # Whoever has just written is awake, and where their clock stands need not be found out.
    is_awake = found["wrote_at"] is not None and now < found["wrote_at"] + milliseconds(AWAKE)
    zone = around.property_zone
    if is_notice or not is_awake:
        is_here = _is_here(connection, row["guest"], around.property_zone, now)
        known = None if is_here else _zone_elsewhere(found["time_zone"], phone)
        zone = known or around.property_zone
    limited = found["asked_at"] is not None and now < found["asked_at"] + milliseconds(LIMITED_FOR)
    limits = around.limits
    return Standing(
        now=from_ms(now),
        zone=zone,
        consent=Consent(found["consent"] or Consent.UNKNOWN),
        duplicate=bool(found["duplicate"]),
        wrote_at=_time(found["wrote_at"]),
        held_since=_time(found["held_since"]),
        taken=found["held_by"] is not None,
        notices_today=_notices_today(connection, row["guest"], zone, now) if is_notice else 0,
        paused_until=_time(found["paused_until"]),
        text_room_at=(
            _room_at(connection, SentAs.TEXT, limits.texts, now) if limited or is_notice else None
        ),
        template_room_at=_room_at(connection, SentAs.TEMPLATE, limits.templates, now),
    )


def _time(moment: int | None) -> datetime | None:
    return None if moment is None else from_ms(moment)


def _is_here(connection: Connection, guest: bytes, property_zone: ZoneInfo, now: int) -> bool:
    """Whether the guest stays with us."""
    today = from_ms(now).astimezone(property_zone).date().isoformat()
    return connection.execute(_STAYS, {"guest": guest, "today": today}).fetchone() is not None


def _zone_elsewhere(known: str | None, phone: str) -> ZoneInfo | None:
    """Where the guest said they are, or their phone tells."""
    return ZoneInfo(known) if known else _zone_of_phone(phone)


@lru_cache(maxsize=1024)
def _zone_of_phone(phone: str) -> ZoneInfo | None:
    zones = time_zones_for_number(parse(phone))
    # Several, or "Etc/Unknown", tell nothing.
    return ZoneInfo(zones[0]) if len(zones) == 1 and not zones[0].startswith("Etc/") else None


def _notices_today(connection: Connection, guest: bytes, zone: ZoneInfo, now: int) -> int:
    today = datetime.combine(from_ms(now).astimezone(zone).date(), time(), tzinfo=zone)
    # A clock that was ahead sent others on a day that is yet to come.
    tomorrow = today + timedelta(days=1)
    row = connection.execute(
        "SELECT count(*) AS n FROM outbox WHERE guest = ? AND kind = 'notice' "
        "AND sending_at >= ? AND sending_at < ?",
        (guest, to_ms(today.astimezone(UTC)), to_ms(tomorrow.astimezone(UTC))),
    ).fetchone()
    return int(row["n"])


def _room_at(connection: Connection, sent_as: SentAs, limit: int, now: int) -> datetime | None:
    """When the limit-th last of this minute is a minute old; None if there is room.

    What a clock that was ahead has sent by its own time is none of this minute.
    """
    row = connection.execute(
        "SELECT sending_at FROM outbox WHERE sent_as = ? AND sending_at > ? AND sending_at <= ? "
        "ORDER BY sending_at DESC LIMIT 1 OFFSET ?",
        (sent_as, now - milliseconds(MINUTE), now, limit - 1),
    ).fetchone()
    return None if row is None else from_ms(row["sending_at"]) + MINUTE


_STANDING = """
SELECT guests.consent, guests.time_zone, talk.held_since, talk.held_by,
       provider_pause.asked_at, provider_pause.until AS paused_until,
       (SELECT received_at FROM inbox WHERE guest = :guest ORDER BY id DESC LIMIT 1) AS wrote_at,
       :dedupe_key IS NOT NULL AND EXISTS (
           SELECT 1 FROM outbox WHERE guest = :guest AND dedupe_key = :dedupe_key AND id <> :id
           AND state IN ('sending', 'unknown', 'sent', 'delivered', 'read')
       ) AS duplicate
FROM (SELECT 1)
LEFT JOIN guests ON guests.guest = :guest
LEFT JOIN conversations AS talk ON talk.guest = :guest AND talk.holder = 'person'
LEFT JOIN provider_pause ON provider_pause.id = 1
"""

_STAYS = """
SELECT 1 FROM bookings WHERE guest = :guest AND status = 'confirmed'
AND arrival <= :today AND departure >= :today LIMIT 1
"""

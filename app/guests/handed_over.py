"""Guests, bookings and requests that only a former leader's database has: read there, kept here.

What the leader has is never overwritten. A row that is not above the highest id that the leader's
copy had (``is_old``) is only compared: if the leader lacks it by now, it was erased there.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.sealing import Seal
from app.store.database import Connection, Row
from app.store.handed import Handed, Tail, Verdict

# A guest's or a booking's newest; one row must not become a request too large to be sent.
_LONGEST_PAST: Final = 50


class Past(Handed):
    """An entry of the history; its detail is sealed for the row ``id`` of the other file."""

    id: int
    at: int
    actor: str
    event: str
    sealed_detail: bytes | None


class GuestRow(Handed):
    """A guest, and what happened to them."""

    guest: bytes
    sealed_phone: bytes
    sealed_name: bytes | None
    sealed_email: bytes | None
    language: str | None
    time_zone: str | None
    consent: str
    consent_source: str | None
    consent_at: int | None
    created_at: int
    updated_at: int
    is_old: bool
    history: tuple[Past, ...]


class BookingRow(Handed):
    """A booking, and what happened to it."""

    channel: str
    code: str
    guest: bytes | None
    unit: str | None
    arrival: str | None
    departure: str | None
    party: int | None
    status: str
    flight_number: str | None
    balance: str | None
    currency: str | None
    created_at: int
    updated_at: int
    ended_at: int | None
    is_old: bool
    history: tuple[Past, ...]


class RequestState(Handed):
    """How a request stands that both files have."""

    guest: bytes
    kind: str
    created_at: int
    state: str


def guests(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, GuestRow]]:
    """Guests that are new or were changed, with the row's id."""
    for row in connection.execute(_GUESTS, tail.of("guests", after)):
        past = _past(connection, "booking_id IS NULL AND guest = ?", row["guest"])
        columns = {**dict(row), "is_old": bool(row["is_old"])}
        yield columns.pop("id"), GuestRow(**columns, history=past)


def bookings(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, BookingRow]]:
    """Bookings that are new or were changed, with the row's id."""
    for row in connection.execute(_BOOKINGS, tail.of("bookings", after)):
        past = _past(connection, "booking_id = ?", row["id"])
        columns = {**dict(row), "is_old": bool(row["is_old"])}
        yield columns.pop("id"), BookingRow(**columns, history=past)


def requests(connection: Connection, tail: Tail, after: int) -> Iterator[tuple[int, RequestState]]:
    """Requests that the leader's copy had and that somebody has closed since.

    New ones are made anew, with the answer or the command that they came of.
    """
    for row in connection.execute(_REQUESTS, tail.of("requests", after)):
        columns = dict(row)
        yield columns.pop("id"), RequestState(**columns)


def keep_guest(connection: Connection, seal: Seal, one: GuestRow) -> Verdict:
    """Keep a guest unless they are here, in the caller's transaction."""
    rows = connection.execute("SELECT * FROM guests WHERE guest = ?", (one.guest,)).fetchall()
    if rows:
        same = _guest_facts(seal, dict(rows[0])) == _guest_facts(seal, one.model_dump())
        return Verdict.KNOWN if same else Verdict.DIFFERS
    if one.is_old:
        return Verdict.KNOWN
    connection.execute(_KEEP_GUEST, one.model_dump())
    _keep_past(connection, seal, one.history, one.guest, None)
    return Verdict.NEW


def keep_booking(connection: Connection, seal: Seal, one: BookingRow) -> Verdict:
    """Keep a booking unless it is here, in the caller's transaction."""
    key = (one.channel, one.code)
    rows = connection.execute(
        "SELECT * FROM bookings WHERE channel = ? AND code = ?", key
    ).fetchall()
    if rows:
        same = all(rows[0][name] == getattr(one, name) for name in _BOOKING_FACTS)
        return Verdict.KNOWN if same else Verdict.DIFFERS
    if one.is_old:
        return Verdict.KNOWN
    (kept,) = connection.execute(_KEEP_BOOKING, one.model_dump()).fetchall()
    _keep_past(connection, seal, one.history, one.guest, kept["id"])
    return Verdict.NEW


def compare_request(connection: Connection, one: RequestState) -> Verdict:
    """Whether a request stands as it does in the other file."""
    rows = connection.execute(
        "SELECT state FROM requests WHERE guest = ? AND kind = ? AND created_at = ?",
        (one.guest, one.kind, one.created_at),
    ).fetchall()
    differs = any(row["state"] != one.state for row in rows)
    return Verdict.DIFFERS if differs else Verdict.KNOWN


def _past(connection: Connection, where: str, key: object) -> tuple[Past, ...]:
    # The condition is one of ours.
    rows = connection.execute(
        f"SELECT id, at, actor, event, sealed_detail FROM history WHERE {where} "  # noqa: S608
        "ORDER BY id DESC LIMIT ?",
        (key, _LONGEST_PAST),
    ).fetchall()
    return tuple(Past(**dict(row)) for row in reversed(rows))


def _keep_past(
    connection: Connection,
    seal: Seal,
    past: tuple[Past, ...],
    guest: bytes | None,
    booking_id: int | None,
) -> None:
    for one in past:
        (row,) = connection.execute(
            "INSERT INTO history (guest, booking_id, at, actor, event) VALUES (?, ?, ?, ?, ?) "
            "RETURNING id",
            (guest, booking_id, one.at, one.actor, one.event),
        ).fetchall()
        if one.sealed_detail is None:
            continue
        # Its row has another number here, which is part of the context.
        detail = seal.open(one.sealed_detail, f"history.detail:{one.id}")
        connection.execute(
            "UPDATE history SET sealed_detail = ? WHERE id = ?",
            (seal.seal(detail, f"history.detail:{row['id']}"), row["id"]),
        )


def _guest_facts(seal: Seal, row: Row | Mapping[str, Any]) -> tuple[object, ...]:
    def opened(column: str) -> str | None:
        sealed = row[f"sealed_{column}"]
        context = f"guests.{column}:{row['guest'].hex()}"
        return None if sealed is None else seal.open(sealed, context)

    facts = (row[name] for name in ("language", "time_zone", "consent"))
    return (opened("name"), opened("email"), *facts)


_BOOKING_FACTS: Final = (
    *("guest", "unit", "arrival", "departure", "party", "status"),
    *("flight_number", "balance", "currency"),
)

# Where the leader's ids aren't known, by the time.
_IS_OLD: Final = "iif(:has_ids, id <= :known, created_at < :cut)"

_GUESTS: Final = f"""
SELECT id, guest, sealed_phone, sealed_name, sealed_email, language, time_zone, consent,
       consent_source, consent_at, created_at, updated_at, {_IS_OLD} AS is_old
FROM guests WHERE id > :after AND (id > :known OR updated_at >= :cut) ORDER BY id
"""  # noqa: S608 - a constant

_BOOKINGS: Final = f"""
SELECT id, channel, code, guest, unit, arrival, departure, party, status, flight_number, balance,
       currency, created_at, updated_at, ended_at, {_IS_OLD} AS is_old
FROM bookings WHERE id > :after AND (id > :known OR updated_at >= :cut) ORDER BY id
"""  # noqa: S608 - a constant

_REQUESTS: Final = """
SELECT id, guest, kind, created_at, state FROM requests
WHERE id > :after AND id <= :known AND closed_at >= :cut ORDER BY id
"""

_KEEP_GUEST: Final = """
INSERT INTO guests (guest, sealed_phone, sealed_name, sealed_email, language, time_zone, consent,
                    consent_source, consent_at, created_at, updated_at)
VALUES (:guest, :sealed_phone, :sealed_name, :sealed_email, :language, :time_zone, :consent,
        :consent_source, :consent_at, :created_at, :updated_at)
"""

_KEEP_BOOKING: Final = """
INSERT INTO bookings (channel, code, guest, unit, arrival, departure, party, status,
                      flight_number, balance, currency, created_at, updated_at, ended_at)
VALUES (:channel, :code, :guest, :unit, :arrival, :departure, :party, :status,
        :flight_number, :balance, :currency, :created_at, :updated_at, :ended_at)
RETURNING id
"""

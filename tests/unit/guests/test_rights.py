"""A guest's rights: the export holds everything, and the erasure leaves nothing of it."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.events.outgoing import Events
from app.guests.booking import Booking, BookingStatus
from app.guests.guest import Consent, Guest
from app.guests.request import RequestKind, RequestState
from app.guests.requests import NewRequest
from app.leading import Alone
from app.messages import rights
from app.messages.alerts import Alerts, Channel
from app.messages.catalogue import Catalogue
from app.messages.deciding import Rules
from app.messages.inbox import Inbox
from app.messages.outbox import Draft, Outbox
from app.messages.outgoing import Choice, Kind, Text
from app.messages.rights import StillToSendError
from app.messages.rules import QuietHours, RuleBook
from app.messages.standing import Limits, Surroundings
from app.providers import spoki_events
from app.sealing import Seal, SealError
from app.store.sealed import SEALED_COLUMNS
from tests.support import breakers
from tests.support.events import encode, inbound, outbound
from tests.unit.guests.conftest import Store, open_store

PHONE, OTHER, DESK = "+390000000001", "+390000000002", "+390000000098"
GRACE = timedelta(seconds=3)
RULES = Rules(
    RuleBook(QuietHours(time(22), time(8)), daily_cap=4),
    Surroundings(Limits(texts=60, templates=60), ZoneInfo("Europe/Rome")),
    Catalogue({}, "Hotel Invenzione", "spoki"),
)
# What was said by and about the guest; each word is somewhere in the file before the erasure.
SECRETS = (
    "390000000001",
    "Anna Invenzione",
    "anna@example.invalid",
    "Europe/Lisbon",
    "XX 777",
    "BOOKING-77",
    "Il rubinetto gocciola",
    "Arriva un idraulico",
    "Restiamo fino alle quattordici",
    "Anna dice che gocciola",
    "deduplicated-77",
    "noted-77",
)


class World:
    """A hotel with one guest of whom everything is held, and another who is to keep all."""

    def __init__(self, path: Path) -> None:
        self.store: Store = open_store(path)
        database, seal = self.store.database, self.store.seal
        self.database, self.seal = database, seal
        self.inbox = Inbox(database, seal, GRACE)
        self.outbox = Outbox(
            database,
            seal,
            RULES,
            breakers.closed(),
            leadership=Alone(),
            grace=GRACE,
            claim_time=GRACE,
            on_instead=lambda *_: None,
        )
        for phone in (PHONE, OTHER):
            self.fill(phone)
        self.settle()

    def fill(self, phone: str) -> None:
        """Put something into every table."""
        first = phone == PHONE
        booking_id = self.store.upsert(
            Booking("direct", "BOOKING-77" if first else "B-2", BookingStatus.REQUESTED)
        )
        self.store.upsert(
            Booking(
                "direct",
                "BOOKING-77" if first else "B-2",
                BookingStatus.CONFIRMED,
                phone=phone,
                unit="12",
                arrival=date(2026, 11, 24),
                departure=date(2026, 11, 26),
                party=2,
                flight_number="XX 777" if first else "YY 000",
                balance=Decimal("120.50"),
                currency="EUR",
            )
        )
        self.store.put(
            Guest(
                phone,
                name="Anna Invenzione" if first else "Bruno Fantasia",
                email="anna@example.invalid" if first else None,
                language="it",
                time_zone=ZoneInfo("Europe/Lisbon") if first else None,
                consent=Consent.GIVEN,
                consent_source="booking",
                consent_at=datetime(2026, 11, 1, tzinfo=UTC),
            )
        )
        self.receive(inbound("Il rubinetto gocciola" if first else "Tutto bene", phone))
        self.store.make(
            NewRequest(
                RequestKind.LATE_CHECKOUT,
                phone,
                "Restiamo fino alle quattordici" if first else "Fino alle tre?",
                booking_id=booking_id,
                price=Decimal("30.00"),
                currency="EUR",
            )
        )
        key = f"reply-{1 if first else 2}"
        text = "Arriva un idraulico" if first else "Ne siamo lieti"
        self.send(key, phone, Kind.REPLY, Text(text, (Choice("ok", "Va bene"),)))
        self.receive(outbound("Sent", key, key, to_phone=phone.removeprefix("+"), text=text))
        alert = "Anna dice che gocciola" if first else "Bruno è contento"
        self.alert(phone, alert)
        self.send(f"desk-{1 if first else 2}", DESK, Kind.DESK, Text(f"Attenzione: {alert}"))
        self.send(f"also-{1 if first else 2}", DESK, Kind.DESK, Text(f"Chiami {spaced(phone)}!"))
        self.tell_cloud("stay.ended", phone, booking_id, "BOOKING-77" if first else "B-2")

    def tell_cloud(self, name: str, phone: str, booking_id: int, code: str) -> None:
        """What the cloud is to be told."""
        payload = {
            "booking_id": booking_id,
            "changed": ["status"],
            "channel": "direct",
            "code": code,
            "status": "ended",
        }
        events = Events(self.database, self.seal, enabled=True)
        with self.database.transaction() as connection:
            assert events.record(connection, name, payload, self.seal.index(phone))

    def receive(self, event: dict[str, object]) -> None:
        """An event of the provider."""
        body = encode(event)
        with self.database.transaction() as connection:
            self.inbox.accept(spoki_events.parse(body), body)(connection)

    def send(self, key: str, phone: str, kind: Kind, message: Text) -> None:
        """A message to be sent."""
        draft = Draft(
            key, phone, kind, message, "it", dedupe_key="deduplicated-77" if phone == PHONE else key
        )
        with self.database.transaction() as connection:
            assert self.outbox.add(connection, draft)

    def alert(self, phone: str, text: str) -> None:
        """An alert about a guest, not delivered yet, and a conversation that is a person's."""
        key = f"alert-{phone[-1]}"
        guest = self.seal.index(phone)
        alerts = Alerts(self.database, self.seal, [Channel.SLACK])
        with self.database.transaction() as connection:
            alerts.raise_alert(connection, key=key, kind="person_wanted", guest=guest, text=text)
            if phone == PHONE:
                connection.execute("UPDATE alert_deliveries SET note = 'noted-77'")
            connection.execute(
                "INSERT INTO conversations (guest, holder, reason, held_since) "
                "VALUES (?, 'person', 'complaint', 1)",
                (guest,),
            )

    def settle(self) -> None:
        """All was answered, sent and told."""
        with self.database.transaction() as connection:
            connection.execute("UPDATE inbox SET state = 'done', done_at = 1")
            connection.execute("UPDATE outbox SET state = 'sent', sent_at = 1")
            for table in ("inbox", "outbox"):
                noted = f"UPDATE {table} SET note = 'noted-77' WHERE guest = ?"
                connection.execute(noted, (self.seal.index(PHONE),))
            connection.execute("UPDATE alert_deliveries SET state = 'sent'")

    def everything(self) -> str:
        """Every column of every table, sealed ones opened as well as raw."""
        tables = [
            row["name"]
            for row in self.database.all("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = [
            value.hex() if isinstance(value, bytes) else str(value)
            for table in tables
            for row in self.database.all(f"SELECT * FROM {table}")
            for value in tuple(row)
        ]
        for column in SEALED_COLUMNS:
            rows = self.database.all(f"SELECT * FROM {column.table}")
            found += [
                self.seal.open(row[column.column], column.context(row))
                for row in rows
                if row[column.column] is not None
            ]
        return "\n".join(found)


def spaced(phone: str) -> str:
    """As people write numbers."""
    return f"{phone[:3]} {phone[3:6]} {phone[6:]}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "p.db")
    yield found
    found.database.close()


def test_the_export_holds_everything_that_was_put_in(world: World) -> None:
    found = rights.export(world.database, world.seal, PHONE)
    assert found is not None
    written = json.dumps(found, ensure_ascii=False)
    for secret in SECRETS:
        assert secret in written
    # What the cloud asked of them is put in by the tests of commands.
    empty = [part for part, value in found.items() if not value]
    assert empty in ([], ["commands"]), empty
    assert found["guest"]["consent_at"] == "2026-11-01T00:00:00+00:00"
    assert found["inbox"][0]["body"]["data"]["text"] == "Il rubinetto gocciola"
    assert found["outbox"][0]["message"]["text"] == "Arriva un idraulico"
    assert [len(found[part]) for part in ("reports", "desk", "alerts")] == [1, 2, 1]
    assert found["history"][0]["detail"]["code"] == [None, "BOOKING-77"]


def test_the_export_holds_nothing_of_another_guest(world: World) -> None:
    written = json.dumps(rights.export(world.database, world.seal, PHONE), ensure_ascii=False)
    for secret in (OTHER[1:], "Bruno", "YY 000", "B-2", "Tutto bene", "Ne siamo lieti"):
        assert secret not in written


def test_of_a_stranger_nothing_is_held(world: World) -> None:
    stranger = "+390000000003"
    assert rights.export(world.database, world.seal, stranger) is None
    before = world.everything()
    assert not rights.erase(world.database, world.seal, stranger)
    assert world.everything() == before


def test_a_longer_number_is_another_number(world: World) -> None:
    world.receive(outbound("Sent", "x", "x", to_phone=f"{PHONE[1:]}0", text="Per un'altra"))
    found = rights.export(world.database, world.seal, PHONE)
    assert found is not None
    assert len(found["reports"]) == 1


def test_after_the_erasure_nothing_of_it_is_anywhere(world: World) -> None:
    kept = rights.export(world.database, world.seal, OTHER)
    before = world.everything()
    index = world.seal.index(PHONE).hex()
    assert all(secret in before for secret in (*SECRETS, index))
    rights.erase(world.database, world.seal, PHONE)
    after = world.everything()
    for secret in (*SECRETS, index):
        assert secret not in after, secret
    assert rights.export(world.database, world.seal, PHONE) is None
    assert rights.export(world.database, world.seal, OTHER) == kept


def test_the_file_itself_has_none_of_the_old_values(world: World) -> None:
    guest = world.seal.index(PHONE)
    sealed = [
        value
        for column in SEALED_COLUMNS
        if column.table in ("guests", "requests", "outbox", "alerts")
        for value in (
            bytes(row[0])
            for row in world.database.all(
                f"SELECT {column.column} FROM {column.table} WHERE guest = ?", (guest,)
            )
        )
    ]
    assert len(sealed) == 7
    rights.erase(world.database, world.seal, PHONE)
    path = world.database.path
    content = path.read_bytes() + path.with_name(f"{path.name}-wal").read_bytes()
    assert not any(value in content for value in (*sealed, guest))


def test_the_ledger_keeps_that_and_when_and_the_same_stranger(world: World) -> None:
    rights.erase(world.database, world.seal, PHONE)
    rows = world.database.all(
        "SELECT guest FROM outbox WHERE idempotency_key = 'reply-1' AND sent_at = 1 "
        "UNION SELECT guest FROM inbox WHERE id = 1 "
        "UNION SELECT guest FROM requests WHERE id = 1 "
        "UNION SELECT guest FROM history WHERE event = 'guest_erased'"
    )
    assert len(rows) == 1
    assert len(rows[0]["guest"]) == 32


def test_bookings_keep_what_the_tax_office_asks(world: World) -> None:
    rights.erase(world.database, world.seal, PHONE)
    row = world.database.one("SELECT * FROM bookings WHERE id = 1")
    assert row is not None
    assert (row["arrival"], row["departure"], row["unit"], row["balance"], row["currency"]) == (
        "2026-11-24",
        "2026-11-26",
        "12",
        "120.50",
        "EUR",
    )
    assert (row["guest"], row["code"], row["party"], row["flight_number"]) == (
        None,
        "erased-1",
        None,
        None,
    )


def test_nobody_is_left_with_a_request_that_says_nothing(world: World) -> None:
    rights.erase(world.database, world.seal, PHONE)
    assert [request.phone for request in world.store.requests.waiting()] == [OTHER]
    row = world.database.one("SELECT state FROM requests WHERE id = 1")
    assert row is not None
    assert row["state"] == RequestState.REFUSED


def test_a_second_erasure_finds_nothing(world: World) -> None:
    assert rights.erase(world.database, world.seal, PHONE) == {
        "guests": 1,
        "bookings": 1,
        "history": 5,
        "requests": 1,
        "inbox": 2,
        "outbox": 3,
        "alerts": 1,
        "conversations": 1,
        "cloud_events": 1,
    }
    before = world.everything()
    assert not rights.erase(world.database, world.seal, PHONE)
    assert world.everything() == before


def test_a_report_that_comes_later_is_erased_by_a_later_erasure(world: World) -> None:
    rights.erase(world.database, world.seal, PHONE)
    world.receive(outbound("Read", "reply-1", "reply-1", to_phone=PHONE[1:]))
    assert rights.erase(world.database, world.seal, PHONE) == {"inbox": 1}


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE inbox SET state = 'received' WHERE id = 1", "1 messages of theirs"),
        (
            "UPDATE outbox SET state = 'unknown' WHERE idempotency_key = 'reply-1'",
            "1 messages are still to be sent",
        ),
        (
            "UPDATE outbox SET state = 'pending' WHERE idempotency_key = 'desk-1'",
            "1 alerts about them",
        ),
        ("UPDATE alert_deliveries SET state = 'pending' WHERE alert_id = 1", "1 alerts about them"),
    ],
)
def test_what_is_under_way_forbids_it_unless_forced(world: World, sql: str, why: str) -> None:
    with world.database.transaction() as connection:
        connection.execute(sql)
    before = world.everything()
    with pytest.raises(StillToSendError, match=why):
        rights.erase(world.database, world.seal, PHONE)
    assert world.everything() == before
    assert rights.erase(world.database, world.seal, PHONE, force=True)
    assert rights.export(world.database, world.seal, PHONE) is None
    open_rows = world.database.all(
        "SELECT 1 FROM inbox WHERE state = 'received' UNION ALL "
        "SELECT 1 FROM outbox WHERE state IN ('pending', 'sending', 'unknown') UNION ALL "
        "SELECT 1 FROM alert_deliveries WHERE state = 'pending'"
    )
    assert open_rows == []


def test_another_s_time_at_a_booking_is_not_this_guest_s(world: World) -> None:
    moved = Booking("direct", "BOOKING-77", BookingStatus.CONFIRMED, phone=OTHER)
    world.store.upsert(moved)
    found = rights.export(world.database, world.seal, OTHER)
    assert found is not None
    assert "Anna" not in json.dumps(found)
    assert PHONE[1:] not in json.dumps(found)
    assert [booking["code"] for booking in found["bookings"]] == ["BOOKING-77", "B-2"]
    rights.erase(world.database, world.seal, PHONE)
    assert moved.code in json.dumps(rights.export(world.database, world.seal, OTHER))


def test_an_unknown_key_is_said_and_nothing_is_erased(world: World) -> None:
    before = world.everything()
    with pytest.raises(SealError, match="'k1' is not among PORTIERE_SEAL_KEYS"):
        rights.erase(world.database, Seal({"k2": b"x" * 32}, b"i" * 32), PHONE)
    assert world.everything() == before

"""All tables that the rules of sending go by, over a real database file."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from app.guests import bookings as bookings_module
from app.guests import guests as guests_module
from app.leading import Alone
from app.messages import catalogue, standing
from app.messages import conversations as conversations_module
from app.messages import inbox as inbox_module
from app.messages import outbox as outbox_module
from app.messages.deciding import Rules
from app.messages.events import Event, InboundMessage
from app.messages.inbox import Inbox
from app.messages.outbox import Draft, Outbox, OutboxRow
from app.messages.outgoing import Kind, Outgoing, Template, Text
from app.messages.rules import QuietHours, RuleBook
from app.messages.standing import Limits, Surroundings
from app.sealing import Seal
from app.store.database import Connection, Database, from_ms, open_database
from tests.support import breakers

P = ParamSpec("P")
T = TypeVar("T")

CLOCKS: Final = (
    inbox_module,
    outbox_module,
    standing,
    guests_module,
    bookings_module,
    conversations_module,
)
GUEST, OTHER = "+390000000001", "+390000000002"
# A number kept for films: nobody has it, and its first digits say where it would be.
IN_CALIFORNIA, CALIFORNIA = "+13105550123", ZoneInfo("America/Los_Angeles")
FALLBACK, DEPARTURE = "handed_to_person", "departure_instructions"
GRACE, CLAIM_TIME = dt.timedelta(seconds=3), dt.timedelta(seconds=15)
ROME: Final = ZoneInfo("Europe/Rome")
# A cap as small as the tests want it.
BOOK: Final = RuleBook(QuietHours(dt.time(22), dt.time(8)), daily_cap=2)
LIMITS: Final = Limits(texts=120, templates=2)


@dataclass
class Front:
    """The tables that sending is decided by, and a clock that the test moves."""

    database: Database
    seal: Seal
    outbox: Outbox
    templates: catalogue.Catalogue
    now: dt.datetime
    called: list[int]
    keys: list[str] = field(default_factory=list)

    def hears(self, phone: str = GUEST) -> None:
        """A guest writes."""
        key = f"event-{len(self.keys)}"
        self.keys.append(key)
        event = Event("spoki", key, "message.inbound", InboundMessage(key, phone, "Ciao"))
        accept = Inbox(self.database, self.seal, GRACE).accept(event, b"{}")
        with self.database.transaction() as connection:
            accept(connection)

    def write(
        self,
        kind: Kind = Kind.REPLY,
        phone: str = GUEST,
        message: Outgoing | None = None,
        dedupe_key: str | None = None,
    ) -> int:
        """Put a message into the outbox; its row."""
        key = f"message-{len(self.keys)}"
        self.keys.append(key)
        draft = Draft(key, phone, kind, message or Text("Ecco"), "it", dedupe_key=dedupe_key)
        with self.database.transaction() as connection:
            row_id = self.outbox.add(connection, draft)
        assert row_id is not None
        assert self.stands(row_id) == ("pending", None, None)
        return row_id

    def claim(self, row_id: int) -> OutboxRow:
        """Claim a row that may go."""
        row = self.outbox.claim(row_id)
        assert row is not None, self.stands(row_id)
        return row

    def held(self, row_id: int) -> dt.datetime:
        """Until when a row that may not go is held; it can't be claimed."""
        assert self.outbox.claim(row_id) is None
        row = self.database.one("SELECT state, not_before FROM outbox WHERE id = ?", (row_id,))
        assert row is not None
        assert row["state"] == "pending"
        return from_ms(row["not_before"])

    def refused(self, row_id: int) -> None:
        """A row may never go."""
        assert self.outbox.claim(row_id) is None
        assert self.stands(row_id)[0] == "refused"

    def stands(self, row_id: int) -> tuple[str, str | None, str | None]:
        """State, rule and note of a row."""
        row = self.database.one("SELECT state, rule, note FROM outbox WHERE id = ?", (row_id,))
        assert row is not None
        return row["state"], row["rule"], row["note"]

    def sends(self, row_id: int) -> None:
        """Claim a row, and have the provider take it."""
        self.claim(row_id)
        self.outbox.sent(row_id, f"id-{row_id}")

    def change(
        self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call what changes a table, in a transaction of its own."""
        with self.database.transaction() as connection:
            return write(connection, *args, **kwargs)

    def template(self, name: str) -> Template:
        """A template without variables, or with invented ones."""
        values = {"day": "5 maggio", "end": "10:30", "how": "Grazie."}
        return self.templates.render(name, "it", values if name == DEPARTURE else {})

    def at(self, clock: str, zone: ZoneInfo = ROME) -> None:
        """Make it a time of 4 May 2026, by a zone's clock."""
        self.now = dt.datetime.combine(
            dt.date(2026, 5, 4), dt.time.fromisoformat(clock), tzinfo=zone
        )


def make_front(directory: Path, book: RuleBook = BOOK) -> Front:
    """A front over a new database, in a directory of its own; it is noon."""
    own = directory / "templates"
    own.mkdir()
    for name in (FALLBACK, DEPARTURE):
        bundled = Path(catalogue.__file__).with_name("templates") / f"{name}.yml"
        approved = bundled.read_text().replace("approved: {}", "approved: {spoki: {it: 1001}}")
        (own / bundled.name).write_text(approved)
    database = open_database(directory / "p.db")
    seal = Seal({"k1": b"s" * 32}, b"i" * 32)
    templates = catalogue.load(own, "Pensione Aurora", "spoki")
    called: list[int] = []
    outbox = Outbox(
        database,
        seal,
        Rules(book, Surroundings(LIMITS, ROME), templates),
        breakers.closed(),
        leadership=Alone(),
        grace=GRACE,
        claim_time=CLAIM_TIME,
        on_instead=lambda _connection, row: called.append(row.row_id),
    )
    found = Front(database, seal, outbox, templates, dt.datetime.now(dt.UTC), called)
    found.at("12:00")
    return found

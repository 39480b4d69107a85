"""Only who leads sends: the claim goes by the lease and by the file's own term."""

from pathlib import Path

import pytest

from app import steady
from app.leading import Kept, Role, Standing, keep
from app.messages import leading
from app.sealing import Seal
from app.store.database import open_database
from tests.unit.messages.conftest import Ledger, make_ledger

TERM = 7


class Led:
    """A ledger whose machine leads as the test says, by a real standing file."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "standing.json"
        database = open_database(directory / "p.db")
        self.ledger: Ledger = make_ledger(
            database, Seal({"k1": b"s" * 32}, b"i" * 32), Kept(self.path)
        )

    def stands(self, role: Role = Role.LEADER, term: int = TERM, lasts: float = 1000) -> None:
        """Write down how the machine stands."""
        keep(self.path, Standing(role, term, valid_until=steady.now() + lasts))

    def file_is_in(self, term: int) -> None:
        """Begin a term in the file."""
        with self.ledger.database.transaction() as connection:
            leading.begin_term(connection, term, "mac", "failover")


@pytest.fixture
def led(tmp_path: Path) -> Led:
    return Led(tmp_path)


def untouched(led: Led, row_id: int) -> bool:
    """Whether a claim of the row does nothing at all."""
    read = "SELECT * FROM outbox WHERE id = ?"
    before = tuple(led.ledger.database.all(read, (row_id,))[0])
    assert led.ledger.outbox.claim(row_id) is None
    return tuple(led.ledger.database.all(read, (row_id,))[0]) == before


def test_who_leads_sends_and_the_row_knows_in_which_term(led: Led) -> None:
    led.stands()
    led.file_is_in(TERM)
    row_id = led.ledger.write()
    row = led.ledger.outbox.claim(row_id)
    assert row is not None
    assert row.term == TERM
    (kept,) = led.ledger.database.all("SELECT term FROM outbox")
    assert kept["term"] == TERM


@pytest.mark.parametrize("role", [Role.STANDBY, Role.HANDING_OVER])
def test_who_doesnt_lead_sends_nothing(led: Led, role: Role) -> None:
    led.stands(role)
    led.file_is_in(TERM)
    assert untouched(led, led.ledger.write())


def test_nothing_is_sent_once_the_lease_is_over_and_again_with_a_new_one(led: Led) -> None:
    led.stands(lasts=0)
    led.file_is_in(TERM)
    row_id = led.ledger.write()
    assert untouched(led, row_id)
    led.stands()
    assert led.ledger.outbox.claim(row_id) is not None


@pytest.mark.parametrize("of_file", [None, TERM - 1, TERM + 1])
def test_nothing_is_sent_out_of_a_file_of_another_term(led: Led, of_file: int | None) -> None:
    led.stands()
    if of_file is not None:
        led.file_is_in(of_file)
    assert untouched(led, led.ledger.write())


def test_a_machine_alone_asks_for_no_term_of_the_file(ledger: Ledger) -> None:
    with ledger.database.transaction() as connection:
        leading.begin_term(connection, TERM, "mac", "first")
    row = ledger.outbox.claim(ledger.write())
    assert row is not None
    assert row.term == 0

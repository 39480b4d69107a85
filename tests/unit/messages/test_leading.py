"""The terms as the file has them: they only grow, and its beat counts on."""

import pytest

from app.messages.leading import StaleTermError, beat, begin_term, current, last_beat, terms
from app.store.database import Connection
from tests.unit.messages.conftest import Ledger


@pytest.fixture
def connection(ledger: Ledger) -> Connection:
    return ledger.database.connection


def test_before_the_first_term_nobody_leads(connection: Connection) -> None:
    beat(connection)
    assert (current(connection), last_beat(connection), terms(connection, 9)) == (None, None, [])


def test_terms_only_grow(connection: Connection) -> None:
    begin_term(connection, 3, "mac", "first")
    begin_term(connection, 5, "vps", "failover", "2 sends in doubt")
    for term, node in ((4, "vps"), (5, "mac"), (3, "mac")):
        with pytest.raises(StaleTermError):
            begin_term(connection, term, node, "forced")
    assert current(connection) == 5
    assert [(one.term, one.node, one.how, one.note) for one in terms(connection, 9)] == [
        (5, "vps", "failover", "2 sends in doubt"),
        (3, "mac", "first", None),
    ]
    assert [one.term for one in terms(connection, 1)] == [5]


def test_once_more_for_the_same_node_changes_nothing(connection: Connection) -> None:
    begin_term(connection, 3, "mac", "first", "a")
    began = terms(connection, 9)
    begin_term(connection, 3, "mac", "failover", "b")
    assert terms(connection, 9) == began


def test_the_beat_counts_on_over_the_terms(connection: Connection) -> None:
    begin_term(connection, 1, "mac", "first")
    numbers = []
    for term in (2, 3):
        begin_term(connection, term, "vps", "switchover")
        beat(connection)
        found = last_beat(connection)
        assert found is not None
        numbers.append(found.beat)
    assert numbers == [2, 3]


def test_a_beat_says_up_to_which_event(connection: Connection) -> None:
    begin_term(connection, 1, "mac", "first")
    connection.execute(
        "INSERT INTO cloud_events (id, event_id, name, sealed_payload, state, created_at, "
        "waiting_since) VALUES (17, 'e', 'message.sent', x'00', 'waiting', 1, 1)"
    )
    before = last_beat(connection)
    beat(connection)
    after = last_beat(connection)
    assert before is not None
    assert after is not None
    assert (before.last_event, after.last_event) == (0, 17)
    assert after.beat_at >= before.beat_at

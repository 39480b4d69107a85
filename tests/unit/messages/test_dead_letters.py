"""What was given up, in whatever table: seen, sent on its way again once, discarded."""

from datetime import UTC, datetime, timedelta

import pytest

from app.events.outgoing import Events
from app.messages import dead_letters
from app.messages.dead_letters import DeadLetters, LetterKind, Replay, Sieve
from app.messages.unfinished import NO_ECHO
from app.store.database import Database
from tests.unit.messages.conftest import Ledger

INBOX, OUTBOX = LetterKind.INBOX, LetterKind.OUTBOX
COMMANDS, EVENTS = LetterKind.COMMANDS, LetterKind.EVENTS


@pytest.fixture
def letters(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> DeadLetters:
    """One of each kind, and one besides that is none."""
    monkeypatch.setattr(dead_letters, "now_ms", lambda: ledger.clock)
    seal = ledger.inbox._seal
    heard = [ledger.receive("La zuppa è fredda"), ledger.receive("Ciao")]
    written = [ledger.write("Arriva un cuoco"), ledger.write()]
    events = Events(ledger.database, seal, enabled=True)
    with ledger.database.transaction() as connection:
        for _ in range(2):
            events.record(connection, "custom.test", {"said": "zuppa"})
        connection.execute(
            "INSERT INTO commands (command_id, client, idempotency_key, digest, name, "
            "sealed_payload, state, came_by, received_at, next_at, note, attempts) "
            "VALUES ('c1', 'cloud', 'c1', x'', 'SEND_MESSAGE', ?, 'dead', 'push', 5, 5, "
            "'OSError', 10)",
            (seal.seal("{}", "commands.payload:c1"),),
        )
        connection.execute(
            "UPDATE inbox SET state = 'dead', note = 'ValueError', attempts = 10 WHERE id = ?",
            (heard[0],),
        )
        connection.execute(
            "UPDATE outbox SET state = 'failed', note = 'Number unknown', provider_id = 'p1' "
            "WHERE id = ?",
            (written[0],),
        )
        connection.execute("UPDATE cloud_events SET state = 'parked', note = 'x' WHERE id = 1")
    return DeadLetters(ledger.database, seal)


def seen(letters: DeadLetters, sieve: Sieve = Sieve()) -> list[tuple[str, int]]:  # noqa: B008
    return [(letter.kind, letter.row_id) for letter in letters.all(sieve)]


def replay(ledger: Ledger, letters: DeadLetters, kind: LetterKind, row_id: int) -> Replay:
    with ledger.database.transaction() as connection:
        return letters.replay(connection, kind, row_id)


def state(database: Database, kind: LetterKind, row_id: int) -> str:
    row = database.one(f"SELECT state FROM {kind} WHERE id = ?", (row_id,))
    assert row is not None
    return str(row["state"])


def test_all_tables_are_one_list(letters: DeadLetters) -> None:
    kinds = [kind for kind, _ in seen(letters)]
    assert kinds == [EVENTS, COMMANDS, INBOX, OUTBOX]
    assert letters.counts() == dict.fromkeys(LetterKind, 1)


def test_a_page_goes_on_where_the_last_one_ended(letters: DeadLetters) -> None:
    first = letters.page(Sieve(), most=3)
    (last,) = letters.page(Sieve(), (first[-1].kind, first[-1].row_id), most=3)
    assert last.kind is OUTBOX
    assert letters.page(Sieve(), (last.kind, last.row_id)) == []


@pytest.mark.parametrize(
    ("sieve", "kinds"),
    [
        (Sieve(kind=INBOX), [INBOX]),
        (Sieve(note="number UNKNOWN"), [OUTBOX]),
        (Sieve(note="%"), []),
        (Sieve(before=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1)), [COMMANDS]),
        (Sieve(kind=INBOX, note="unknown"), []),
    ],
)
def test_a_sieve(letters: DeadLetters, sieve: Sieve, kinds: list[LetterKind]) -> None:
    assert [kind for kind, _ in seen(letters, sieve)] == kinds


@pytest.mark.parametrize("kind", list(LetterKind))
def test_what_it_says_is_shown_only_when_asked_for(letters: DeadLetters, kind: LetterKind) -> None:
    (row_id,) = (row_id for one, row_id in seen(letters) if one == kind)
    masked = letters.show(kind, row_id, reveal=False)
    revealed = letters.show(kind, row_id, reveal=True)
    assert masked is not None
    assert revealed is not None
    assert not {"zuppa", "cuoco", "+390000000001"} & set(str(masked).split())
    assert "zuppa" not in str(masked)
    if kind in (INBOX, EVENTS):
        assert "zuppa" in str(revealed)
    assert letters.show(kind, 999, reveal=True) is None


@pytest.mark.parametrize(
    ("kind", "after"),
    [(INBOX, "received"), (OUTBOX, "pending"), (COMMANDS, "received"), (EVENTS, "waiting")],
)
def test_it_goes_on_its_way_again_once(
    ledger: Ledger, letters: DeadLetters, kind: LetterKind, after: str
) -> None:
    (row_id,) = (row_id for one, row_id in seen(letters) if one == kind)
    assert replay(ledger, letters, kind, row_id) is Replay.REPLAYED
    assert state(ledger.database, kind, row_id) == after
    assert replay(ledger, letters, kind, row_id) is Replay.GONE
    assert kind not in [one for one, _ in seen(letters)]


def test_the_relay_takes_up_what_was_replayed(ledger: Ledger, letters: DeadLetters) -> None:
    for kind, row_id in seen(letters):
        replay(ledger, letters, LetterKind(kind), row_id)
    found = ledger.sweep()
    assert found.messages == [1]
    assert found.outbox == [1]


def test_a_send_keeps_its_key_and_is_sent_once(ledger: Ledger, letters: DeadLetters) -> None:
    assert replay(ledger, letters, OUTBOX, 1) is Replay.REPLAYED
    claimed = ledger.outbox.claim(1)
    assert claimed is not None
    assert claimed.idempotency_key == "reply-0"
    assert ledger.outbox.claim(1) is None
    ledger.outbox.sent(1, "p2")
    assert replay(ledger, letters, OUTBOX, 1) is Replay.GONE


def test_what_was_perhaps_sent_goes_again_only_if_somebody_looked(
    ledger: Ledger, letters: DeadLetters
) -> None:
    ledger.resend = False
    row_id = ledger.write()
    assert ledger.outbox.claim(2) is not None
    ledger.outbox.in_doubt(2, "ReadTimeout", timedelta(0))
    ledger.later(timedelta(seconds=1))
    ledger.sweep()
    (letter,) = letters.page(Sieve(note=NO_ECHO))
    assert letter.row_id == 2 != row_id
    assert replay(ledger, letters, OUTBOX, 2) is Replay.IN_DOUBT
    assert ledger.state(2) == "failed"
    with ledger.database.transaction() as connection:
        assert letters.replay(connection, OUTBOX, 2, in_doubt=True) is Replay.REPLAYED


def test_what_is_no_letter_is_left_alone(ledger: Ledger, letters: DeadLetters) -> None:
    assert replay(ledger, letters, OUTBOX, 2) is Replay.GONE
    assert ledger.state(2) == "pending"
    with ledger.database.transaction() as connection:
        assert not letters.discard(connection, OUTBOX, 2, "cli:ada", "no")


def test_what_was_erased_is_nobodys_letter(ledger: Ledger, letters: DeadLetters) -> None:
    with ledger.database.transaction() as connection:
        connection.execute("UPDATE outbox SET note = NULL WHERE state = 'failed'")
    assert replay(ledger, letters, OUTBOX, 1) is Replay.GONE


@pytest.mark.parametrize("kind", list(LetterKind))
def test_a_discarded_one_is_off_the_list_for_good(
    ledger: Ledger, letters: DeadLetters, kind: LetterKind
) -> None:
    (row_id,) = (row_id for one, row_id in seen(letters) if one == kind)
    before = state(ledger.database, kind, row_id)
    for is_first in (True, False):
        with ledger.database.transaction() as connection:
            discarded = letters.discard(connection, kind, row_id, "cli:ada", "the guest has left")
        assert discarded is is_first
    assert kind not in [one for one, _ in seen(letters)]
    assert replay(ledger, letters, kind, row_id) is Replay.GONE
    assert state(ledger.database, kind, row_id) == before
    (row,) = ledger.database.all("SELECT * FROM discarded_letters")
    assert (row["by"], row["reason"]) == ("cli:ada", "the guest has left")

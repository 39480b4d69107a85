"""The send ledger against a model of a provider that may lose its answers.

Whatever the order of workers dying, answers lost, echoes late or twice, leases that end, leaders
that take over, and time passing: a guest gets no message twice as long as the echo comes within its
wait, every message in order, and nothing from a machine that doesn't lead.
"""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.leading import Kept, Role, Standing, keep
from app.messages import leading
from app.messages.delivery import look
from app.messages.doubt import cast_doubt
from app.messages.outbox import OutboxRow
from app.messages.provider import LeaseOverError
from app.sealing import Seal
from app.store.database import open_database
from tests.unit.messages.conftest import CLAIM_TIME, CLOCKS, ECHO_WAIT, make_ledger

GUESTS = ("+390000000001", "+390000000002")
# The provider's echo is never later than this: within the wait, with the clock's steps between.
ECHO_WITHIN = timedelta(seconds=10)


class LedgerMachine(RuleBasedStateMachine):
    """Rules are what can happen; the invariants are what we promise."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        database = open_database(Path(self.directory.name) / "p.db")
        seal = Seal({"k1": b"s" * 32}, b"i" * 32)
        self.standing = Path(self.directory.name) / "standing.json"
        self.leadership = Kept(self.standing)
        self.ledger = make_ledger(database, seal, self.leadership)
        self.patches = [
            patch.object(module, "now_ms", lambda: self.ledger.clock) for module in CLOCKS
        ]
        for one in self.patches:
            one.start()
        self.written: list[int] = []
        self.claimed: dict[int, OutboxRow] = {}
        self.handed_over: dict[str, list[int]] = {guest: [] for guest in GUESTS}
        self.echoes: dict[str, int] = {}
        self.sent_elsewhere: set[str] = set()
        self.term = 0
        self._begin_term()

    def teardown(self) -> None:
        for one in self.patches:
            one.stop()
        self.ledger.database.close()
        self.directory.cleanup()

    @rule(guest=st.sampled_from(GUESTS))
    def write(self, guest: str) -> None:
        self.written.append(self.ledger.write("x", guest))

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(self.written))
        row = self.ledger.outbox.claim(row_id)
        if row is not None:
            assert self.leadership.term() == row.term == self.term
            assert row_id not in self.claimed, "claimed while another sends it"
            assert row.idempotency_key not in self.sent_elsewhere
            self.claimed[row_id] = row

    @precondition(lambda self: self.claimed)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["sent", "answer lost", "died before", "died after", "429"]),
    )
    def send(self, data: st.DataObject, outcome: str) -> None:
        row = self.claimed.pop(data.draw(st.sampled_from(sorted(self.claimed))))
        try:
            look(self.leadership, row)
        except LeaseOverError as error:
            self.ledger.outbox.not_sent(row, str(error), error.after)
            return
        assert self.leads
        if outcome not in ("died before", "429"):
            self._hand_over(row)
        if outcome == "sent":
            self.ledger.outbox.sent(row.row_id, f"id-{row.idempotency_key}")
        elif outcome == "answer lost":
            self.ledger.outbox.in_doubt(row.row_id, "ReadTimeout", ECHO_WAIT)
        elif outcome == "429":
            self.ledger.outbox.not_sent(row, "429", None)

    @precondition(lambda self: self.echoes)
    @rule(data=st.data(), status=st.sampled_from(["Sent", "Delivered", "Read"]))
    def echo(self, data: st.DataObject, status: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.echoes)))
        self.ledger.hear(status, key, f"id-{key}")

    @rule()
    def what_was_heard_is_read(self) -> None:
        self.ledger.apply_heard()

    @rule()
    def lease_ends(self) -> None:
        self.leads = False
        keep(self.standing, Standing(Role.LEADER, self.term, valid_until=0))

    @rule()
    def lease_is_had_again(self) -> None:
        self.leads = True
        keep(self.standing, Standing(Role.LEADER, self.term))

    @rule(data=st.data())
    def another_takes_over(self, data: st.DataObject) -> None:
        """With a copy that is a little older: what was claimed, or due, may be sent or not."""
        for row in self.claimed.values():
            if self.leads and data.draw(st.booleans()):
                self._hand_over(row)
        self.claimed.clear()
        for row_id in self.written:
            if data.draw(st.booleans()) and (due := self.ledger.outbox.claim(row_id)):
                self._hand_over(due)
                self._make_copy_forget(row_id)
        with self.ledger.database.transaction() as connection:
            cast_doubt(connection, self.ledger.clock, ECHO_WAIT)
        self._begin_term()

    @rule(status=st.sampled_from(["Sent", "Delivered"]))
    def another_sent_what_isnt_written_here_yet(self, status: str) -> None:
        key = f"reply-{len(self.ledger.keys)}"
        self.sent_elsewhere.add(key)
        self.ledger.report(status, key, f"id-{key}")

    @rule(seconds=st.sampled_from([1, 5, 10]))
    def time_passes(self, seconds: int) -> None:
        # A claim is acted on within its time: what a worker does later is not modelled here.
        if any(self._age(row) + seconds >= CLAIM_TIME.total_seconds() for row in self.claimed):
            return
        self.ledger.later(timedelta(seconds=seconds))
        for key, since in self.echoes.items():
            if self.ledger.clock - since >= ECHO_WITHIN.total_seconds() * 1000:
                self.ledger.hear("Sent", key, f"id-{key}")

    @rule()
    def sweep(self) -> None:
        self.ledger.sweep()

    @invariant()
    def nothing_is_handed_over_twice(self) -> None:
        for rows in self.handed_over.values():
            assert len(rows) == len(set(rows))

    @invariant()
    def everything_in_order(self) -> None:
        for rows in self.handed_over.values():
            assert rows == sorted(rows)

    @invariant()
    def what_another_sent_is_settled_once_it_had_its_turn(self) -> None:
        rows = self.ledger.database.all("SELECT idempotency_key, attempts FROM outbox")
        assert not [row for row in rows if row[0] in self.sent_elsewhere and row["attempts"]]

    def _begin_term(self) -> None:
        self.term += 1
        self.leads = True
        with self.ledger.database.transaction() as connection:
            leading.begin_term(connection, self.term, f"node-{self.term}", "failover")
        keep(self.standing, Standing(Role.LEADER, self.term))

    def _hand_over(self, row: OutboxRow) -> None:
        self.handed_over[row.phone].append(row.row_id)
        self.echoes[row.idempotency_key] = self.ledger.clock

    def _make_copy_forget(self, row_id: int) -> None:
        with self.ledger.database.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET state = 'pending', next_at = created_at, sending_at = NULL "
                "WHERE id = ?",
                (row_id,),
            )

    def _age(self, row_id: int) -> float:
        row = self.ledger.database.one("SELECT sending_at FROM outbox WHERE id = ?", (row_id,))
        assert row is not None
        return float(self.ledger.clock - row["sending_at"]) / 1000


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedger = pytest.mark.thorough(LedgerMachine.TestCase)

"""The ledgers of the gate: the desk's own in the SQLite file, and one without it."""

import threading
from datetime import UTC, datetime

import structlog

from app.messages import audit, nonces
from app.signing import Signed
from app.store.database import Database, DatabaseError
from app.web.ledger import Entry, Ledger, LedgerError

log = structlog.get_logger()


class DeskLedger:
    """See :class:`app.web.ledger.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spend(self, signed: Signed, *, durable: bool) -> bool:
        """Whether this nonce comes for the first time."""
        try:
            with self._database.transaction(durable=durable) as connection:
                return nonces.spend(connection, signed.client, signed.nonce, signed.expires_at)
        except DatabaseError as error:
            raise LedgerError(type(error).__name__) from None

    def record(self, entry: Entry) -> None:
        """Write an entry of the audit."""
        try:
            with self._database.transaction(durable=False) as connection:
                audit.record(
                    connection,
                    actor=entry.client,
                    action=f"request.{entry.method.lower()}",
                    target=entry.target,
                    outcome=entry.outcome,
                    request_id=entry.request_id,
                    address=entry.address,
                )
        except DatabaseError as error:
            raise LedgerError(type(error).__name__) from None


class PassingLedger:
    """Nonces in memory, the audit in the log: for a standby, which doesn't write the database.

    That suffices for what it takes: commands with their idempotency key, and what the other node
    hands over. Whoever replays one of them, at another process or after a restart, is told that it
    is here already.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()
        self._next_sweep = 1000

    def spend(self, signed: Signed, *, durable: bool) -> bool:
        """Whether this nonce comes for the first time here."""
        nonce = (signed.client, signed.nonce)
        with self._lock:
            if nonce in self._spent:
                return False
            self._spent[nonce] = signed.expires_at
            if len(self._spent) >= self._next_sweep:
                self._sweep()
        return True

    def record(self, entry: Entry) -> None:
        """Log it."""
        log.info(
            "request_audited",
            client=entry.client,
            method=entry.method,
            target=entry.target,
            outcome=entry.outcome,
            request_id=entry.request_id,
        )

    def _sweep(self) -> None:
        now = datetime.now(UTC)
        self._spent = {nonce: end for nonce, end in self._spent.items() if end > now}
        self._next_sweep = max(1000, 2 * len(self._spent))


class LeaderLedger:
    """The desk's, but for what ``peer`` asks: that comes with every event, and is taken once by
    itself, as :class:`PassingLedger` says."""

    def __init__(self, own: Ledger, peer: str) -> None:
        self._own = own
        self._peer = peer
        self._of_peer = PassingLedger()

    def spend(self, signed: Signed, *, durable: bool) -> bool:
        """Whether this nonce comes for the first time."""
        return self._of(signed.client).spend(signed, durable=durable)

    def record(self, entry: Entry) -> None:
        """Write an entry of the audit."""
        self._of(entry.client).record(entry)

    def _of(self, client: str) -> Ledger:
        return self._of_peer if client == self._peer else self._own

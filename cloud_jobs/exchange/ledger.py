"""The cloud's own ledger for the gate: nonces and audit in the store."""

from datetime import UTC, datetime

from app.signing import Signed
from app.web.ledger import Entry, LedgerError
from cloud_jobs.exchange import audit, nonces
from cloud_jobs.store.database import Store, StoreUnavailable


class StoreLedger:
    """See :class:`app.web.ledger.Ledger`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def spend(self, signed: Signed, *, durable: bool) -> bool:
        """Whether this nonce comes for the first time."""
        try:
            with self._store.writing(durable=durable) as session:
                return nonces.spend(session, signed)
        except StoreUnavailable as error:
            raise LedgerError(type(error).__name__) from None

    def record(self, entry: Entry) -> None:
        """Write an entry of the audit."""
        try:
            with self._store.writing() as session:
                audit.record(
                    session,
                    actor=entry.client,
                    action=f"request.{entry.method.lower()}",
                    target=entry.target,
                    outcome=entry.outcome,
                    request_id=entry.request_id,
                    address=entry.address,
                    now=datetime.now(UTC),
                )
        except StoreUnavailable as error:
            raise LedgerError(type(error).__name__) from None

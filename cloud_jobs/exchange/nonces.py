"""Nonces of signed requests: each is good once."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.signing import Signed
from cloud_jobs.store.exchange import Nonce
from cloud_jobs.store.upserts import insert_into

# More than a comparison in milliseconds needs.
_MARGIN: Final = timedelta(seconds=1)


def spend(session: Session, signed: Signed) -> bool:
    """Whether a client uses a nonce for the first time; in the caller's transaction.

    It is remembered until the signature is too old anyway.
    """
    kept = insert_into(session, Nonce).values(
        client=signed.client, nonce=signed.nonce, expires_at=signed.expires_at
    )
    found = session.scalar(kept.on_conflict_do_nothing().returning(Nonce.nonce))
    return found is not None


def purge(session: Session, now: datetime) -> None:
    """Forget what no longer matters, in the caller's transaction."""
    session.execute(delete(Nonce).where(Nonce.expires_at < now - _MARGIN))

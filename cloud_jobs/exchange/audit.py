"""The audit: who changed what, when, from where, and what came of it. Nothing of a guest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.web.masking import mask
from cloud_jobs.store.exchange import AuditEntry

OK: Final = "ok"
_LONGEST_TARGET: Final = 200


def record(  # noqa: PLR0913 - each is one of the five Ws
    session: Session,
    *,
    actor: str,
    action: str,
    target: str,
    request_id: str,
    address: str,
    now: datetime,
    outcome: str = OK,
) -> None:
    """Write an entry, in the transaction that changes what it tells of.

    ``actor`` is a client of the API; ``action`` like ``queue.paused``; ``outcome`` is :data:`OK` or
    the problem's type. ``address`` is masked here.
    """
    session.execute(
        insert(AuditEntry).values(
            at=now,
            actor=actor,
            action=action,
            target=target[:_LONGEST_TARGET],
            outcome=outcome,
            request_id=request_id,
            address=mask(address),
        )
    )


def entries(
    session: Session, since: datetime, actor: str | None = None, limit: int = 1000
) -> Sequence[AuditEntry]:
    """The last ``limit`` entries since then that fit, the oldest first."""
    found = select(AuditEntry).where(AuditEntry.at >= since)
    if actor is not None:
        found = found.where(AuditEntry.actor == actor)
    rows = session.scalars(found.order_by(AuditEntry.seq.desc()).limit(limit)).all()
    return rows[::-1]


def purge(session: Session, before: datetime) -> None:
    """Delete what is older, in the caller's transaction."""
    session.execute(delete(AuditEntry).where(AuditEntry.at < before))

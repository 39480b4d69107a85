"""An authority over a real store, by a clock that the test sets; and what nodes ask of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from app.leading import Role
from app.lease import Answer, Asked, Report, Wish
from app.web.clients import Caller
from cloud_jobs.exchange.authority import Authority
from cloud_jobs.exchange.lease import Rules
from cloud_jobs.store.database import Store
from cloud_jobs.store.exchange import LeaseRow

MAC, VPS = "mac", "vps"
TTL, GRACE = 30.0, 10.0
RULES = Rules(TTL, GRACE)
BEGIN = datetime(2026, 12, 1, 12, tzinfo=UTC)
Row = dict[str, Any] | None
"""The row of the lease, None if there is none: a backup of the store."""


@dataclass
class Keeper:
    """The authority's process, which may be started again; ``now`` is its clock, in seconds."""

    store: Store
    now: float = 0
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process over what is stored."""
        self.authority = Authority(
            self.store, RULES, lambda: self.now, lambda: BEGIN + timedelta(seconds=self.now)
        )

    def ask(self, node: str, wish: Wish, term: int = 0, **more: Any) -> Answer:
        """What the authority answers; ``role`` is what the node reports."""
        role = more.pop("role", Role.STANDBY)
        report = Report(role=role, term=term, version="0")
        asked = Asked(wish=wish, term=term, report=report, **more)
        return self.authority.ask(asked, Caller(node, "of-a-test", "127.0.0.1"))

    def row(self) -> Row:
        """What is stored."""
        table = LeaseRow.__table__
        with self.store.reading() as session:
            found = session.execute(select(table)).mappings().one_or_none()
        return None if found is None else dict(found)

    def put(self, row: Row) -> None:
        """Restore the store."""
        with self.store.writing() as session:
            session.execute(delete(LeaseRow))
            if row is not None:
                session.execute(insert(LeaseRow).values(**row))

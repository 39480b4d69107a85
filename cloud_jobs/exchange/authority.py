"""The authority: keeps the lease in the store, and in this process' memory until when it lasts."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import steady
from app.lease import Answer, Asked, Seen
from app.web.clients import Caller
from cloud_jobs.exchange import audit
from cloud_jobs.exchange.lease import Kept, Lease, Moment, Rules, Told, decide, hear
from cloud_jobs.store.database import Store, StoreUnavailable
from cloud_jobs.store.exchange import LeaseRow

log = structlog.get_logger()
_DESK: Final = "desk"
# A second later is another term: see `_unheard`.
_FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)


class ReplacedError(StoreUnavailable):
    """What is stored changed meanwhile: nothing was granted, and who asked asks again."""


@dataclass(frozen=True)
class View:
    """How the lease stands, for people. ``since``: of the term; ``nodes`` as :class:`Answer`'s."""

    term: int
    holder: str | None
    begun: int
    since: datetime | None
    free_in: float
    nodes: dict[str, Seen]


class Authority:
    """One for the process, and one process for the store: its start is when it is made."""

    def __init__(
        self,
        store: Store,
        rules: Rules,
        clock: Callable[[], float] = steady.now,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._wall = wall
        self._started_at = clock()
        self._lease: Lease | None = None
        self._heard: dict[str, Told] = {}
        self._lock = threading.Lock()

    def ask(self, asked: Asked, who: Caller) -> Answer:
        """Answer a node; what changes is stored before. Raises what the store does."""
        with self._lock:
            now = self._clock()
            self._heard[who.name] = hear(self._heard.get(who.name), asked, now)
            at = Moment(who.name, self._heard, now, self._unheard(), self._rules)
            with self._store.reading() as session:
                lease = self._known(_read(session), now)
            after, held = decide(lease, asked, at)
            if after.kept != lease.kept:
                self._keep(after.kept, lease.kept, asked, who)
            self._lease = after
            return Answer(
                held=held,
                holder=after.kept.holder,
                term=after.kept.term,
                begun=max(after.kept.begun, at.begun),
                ttl=self._rules.ttl,
                free_in=after.free_in(now, self._rules),
                nodes=self._nodes(now),
            )

    def view(self) -> View:
        """How it stands. Raises what the store does."""
        with self._lock:
            now = self._clock()
            with self._store.reading() as session:
                row = session.get(LeaseRow, _DESK)
            lease = self._lease = self._known(_kept(row), now)
            return View(
                term=lease.kept.term,
                holder=lease.kept.holder,
                begun=max([lease.kept.begun, *(told.led for told in self._heard.values())]),
                since=row.changed_at if row else None,
                free_in=lease.free_in(now, self._rules),
                nodes=self._nodes(now),
            )

    def _known(self, kept: Kept, now: float) -> Lease:
        """What this process knows of what is stored; nothing of what another has put there."""
        if self._lease is None:
            return Lease.found(kept, self._started_at, self._rules)
        if self._lease.kept != kept:
            log.warning("lease_replaced", term=kept.term, holder=kept.holder)
            return Lease.found(kept, now, self._rules)
        return self._lease

    def _keep(self, kept: Kept, before: Kept, asked: Asked, who: Caller) -> None:
        with self._store.writing(durable=True) as session:
            _write(session, kept, before, self._wall())
            if kept.term == before.term:
                return  # it has begun, nothing else
            audit.record(
                session,
                actor=who.name,
                action=f"lease.{asked.wish}",
                target=f"term {kept.term} of {kept.holder}",
                request_id=who.request_id,
                address=who.address,
                now=self._wall(),
            )
        log.info("lease_changed", term=kept.term, holder=kept.holder, wish=asked.wish)

    def _unheard(self) -> int:
        """A term that no lost grant had: there never was one a second, so the clock is ahead."""
        return int((self._wall() - _FIRST).total_seconds())

    def _nodes(self, now: float) -> dict[str, Seen]:
        return {
            name: Seen(report=told.report, age=round(now - told.at, 3))
            for name, told in sorted(self._heard.items())
        }


def _read(session: Session) -> Kept:
    return _kept(session.scalar(select(LeaseRow).where(LeaseRow.name == _DESK)))


def _kept(row: LeaseRow | None) -> Kept:
    return Kept() if row is None else Kept(row.term, row.holder, row.begun)


def _write(session: Session, kept: Kept, before: Kept, now: datetime) -> None:
    """Once written there always is a holder. ``changed_at`` is of the term."""
    row = session.get(LeaseRow, _DESK, with_for_update=True)
    if _kept(row) != before:
        raise ReplacedError("another process keeps the lease in this store, too")
    if row is None:
        row = LeaseRow(name=_DESK)
        session.add(row)
    if kept.term != before.term:
        row.changed_at = now
    row.term, row.holder, row.begun = kept.term, kept.holder or "", kept.begun

"""Holding the lease: asked for, renewed and lost, in a thread of its own.

A lease counts from before it was asked for, by the clock of who asked: however long the answer was
under way, the authority's own count ends later. What is on the way to the provider when it ends is
what `ha_margin` is for.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from app import steady
from app.ha.authority import Authority, RefusedError, UnreachableError
from app.ha.staying import Staying
from app.lease import Answer, Asked, Report, Wish
from app.settings import Settings

log = structlog.get_logger()
# While this node holds nothing, or what it holds wasn't renewed.
RESTLESS: Final = timedelta(seconds=1)
# Far less than a lease lasts: who takes over must have seen the witness unchanged for so long.
OBSERVE: Final = timedelta(seconds=5)
# Terms that a person takes without the authority begin a new thousand: so they are nobody else's.
THOUSAND: Final = 1000


@dataclass(frozen=True)
class Held:
    """A term that this node may lead in, until ``valid_until`` by `app.steady`."""

    term: int
    valid_until: float


@dataclass(frozen=True)
class Heard:
    """What the authority last said: when, and by which way (0 is the private link)."""

    answer: Answer
    at: float
    way: int


class Lease:
    """The lease as this node holds it. ``report`` says how the node stands; ``on_held`` hears of
    each extension, in whichever thread it came about."""

    def __init__(
        self,
        settings: Settings,
        authority: Authority,
        staying: Staying,
        report: Callable[[], Report],
        on_held: Callable[[Held], None],
    ) -> None:
        self._settings = settings
        self._authority = authority
        self._staying = staying
        self._report = report
        self._on_held = on_held
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self.held: Held | None = None
        self.heard: Heard | None = None
        self.unreached: str | None = None
        self.known_term = 0
        self._observe_at = 0.0
        self.was_forced = False

    def start(self) -> None:
        """Start the thread; it asks at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What is held runs out by itself."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()

    def resume(self, held: Held) -> None:
        """Hold on to what an earlier process of this node held, until the authority is asked."""
        with self._lock:
            self.held = held
            self.known_term = max(self.known_term, held.term)

    def reclaim(self, term: int) -> None:
        """Ask to hold the term that the authority says is ours."""
        self._ask(Wish.HOLD, term=term)

    def acquire(self) -> None:
        """Ask to lead in a new term."""
        with self._lock:
            self.was_forced = False
            if self._staying.may_take(self._settings.node_name, self.known_term):
                self._ask(Wish.ACQUIRE)

    def begin(self, report: Report) -> bool:
        """Say that this node leads from now on; whether it may."""
        with self._lock:
            if self.held is None:
                return False
            try:
                self._ask(Wish.HOLD, term=self.held.term, report=report)
            except UnreachableError:
                return self._staying.is_alone
            return self.held is not None

    def give(self, to: str) -> bool:
        """Hand the lead to ``to``; whether the authority has it so. Raises UnreachableError."""
        with self._lock:
            answer = self._ask(Wish.GIVE, term=self.known_term, to=to)
            return answer.holder == to

    def force(self) -> None:
        """Lead although another's time is not over: a person saw to it that the other is off."""
        with self._lock:
            self.was_forced = True
            try:
                self._ask(Wish.FORCE)
            except UnreachableError:
                term = (self.known_term // THOUSAND + 1) * THOUSAND
                self._staying.force()
                self._hold(Held(term, steady.now() + self._staying.lasts))
                log.warning("term_taken_by_force", term=term)

    def renew(self) -> None:
        """Ask once, for what stands to be asked for."""
        with self._lock:
            term = self.held.term if self.held else None
            try:
                self._ask(Wish.REPORT if term is None else Wish.HOLD, term=term)
            except UnreachableError as error:
                if self.unreached is None:
                    log.warning("authority_unreachable", reason=str(error))
                self.unreached = str(error)

    def drop(self) -> None:
        """Hold nothing any more: another was given it."""
        with self._lock:
            self.held = None

    def wake(self) -> None:
        """Ask now."""
        self._woken.set()

    def _ask(
        self,
        wish: Wish,
        term: int | None = None,
        to: str | None = None,
        report: Report | None = None,
    ) -> Answer:
        with self._lock:
            asked_at = steady.now()
            asked = Asked(
                wish=wish,
                term=self.known_term if term is None else term,
                to=to,
                report=report or self._report(),
                lapsed=self.held is None or asked_at >= self.held.valid_until,
            )
            try:
                answer, way = self._authority.ask(asked)
            except UnreachableError as error:
                self._alone(asked_at, is_refused=isinstance(error, RefusedError))
                raise
            if self.unreached is not None:
                log.info("authority_reached", way=way)
            self.unreached = None
            self.heard = Heard(answer, steady.now(), way)
            self.known_term = max(self.known_term, answer.term)
            self._staying.heard(answer.ttl)
            if answer.held:
                margin = self._settings.ha_margin.total_seconds()
                self._hold(Held(answer.term, asked_at + answer.ttl - margin))
            elif self.held is not None:
                log.warning("lease_lost", term=self.held.term, holder=answer.holder)
                self.held = None
            return answer

    def _alone(self, asked_at: float, *, is_refused: bool) -> None:
        """What becomes of a lease that couldn't be renewed."""
        if self.held is None:
            return
        until = self._staying.until(self.held.term, asked_at, is_refused=is_refused)
        if until is not None and until > self.held.valid_until:
            self._hold(Held(self.held.term, until))

    def _hold(self, held: Held) -> None:
        self.held = held
        self.known_term = max(self.known_term, held.term)
        self._on_held(held)

    def _observe(self) -> None:
        """A standby keeps an eye on the witness and on the provider."""
        now = steady.now()
        if self.held is None and now >= self._observe_at:
            self._observe_at = now + OBSERVE.total_seconds()
            self._staying.observe()
            self._staying.glance()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.renew()
                self._observe()
            except Exception as error:  # a lease that nobody renews any more is a desk that is lost
                log.error("renewal_failed", error=type(error).__name__, reason=str(error))
            calm = self.held is not None and self.unreached is None
            rest = self._settings.ha_renew if calm else RESTLESS
            self._woken.wait(rest.total_seconds())
            self._woken.clear()

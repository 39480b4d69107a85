"""Who may lead: what becomes of the lease when a node asks; pure, times are `app.steady`'s.

A lease is valid until the ttl after the moment before its holder asked, so it is over here no
earlier than there. What this process can't know, it waits out: after its start each lease that an
earlier one gave runs for a ttl at most. Also its store may have been restored from a backup, which
makes a holder of one that isn't any more. Whose lease still runs, knows that it is no other's; who
lost it has to wait (`Asked.lapsed`), unless the other node says that it knows of nothing newer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from app.leading import Role
from app.lease import Asked, Report, Wish

_NEVER: Final = float("-inf")


@dataclass(frozen=True)
class Kept:
    """What is stored. ``begun``: the last term in which its holder said that it leads."""

    term: int = 0
    holder: str | None = None
    begun: int = 0


@dataclass(frozen=True)
class Rules:
    """Seconds: how long a lease lasts, and how much longer one of before the start is kept."""

    ttl: float
    grace: float


@dataclass(frozen=True)
class Told:
    """What a node told last, and when. ``term``: the highest that it knew of in this process' life;
    ``led``: the highest that it held on to as the leader."""

    report: Report
    at: float
    term: int
    led: int


@dataclass(frozen=True)
class Lease:
    """The lease as this process knows it.

    ``until``: when the holder's time is over. ``presumed``: it has not been heard since the start.
    ``refused_until``: another came with a newer term, so the holder may not renew meanwhile.
    """

    kept: Kept
    until: float
    presumed: bool = True
    refused_until: float = _NEVER

    @classmethod
    def found(cls, kept: Kept, now: float, rules: Rules) -> "Lease":
        """One that was stored by who knows whom: it may have been renewed just now."""
        return cls(kept, now + rules.ttl)

    def free_in(self, now: float, rules: Rules) -> float:
        """Seconds until it may be acquired."""
        grace = rules.grace if self.presumed and self.kept.holder else 0
        return max(0.0, self.until + grace - now, self.refused_until - now)


@dataclass(frozen=True)
class Moment:
    """What a question is decided by, besides the lease. ``heard``: all nodes, the asker included.

    ``unheard``: a term that no grant had which this process can't know of.
    """

    asker: str
    heard: Mapping[str, Told]
    now: float
    unheard: int
    rules: Rules

    def others_agree(self, term: int) -> bool:
        """Whether the other node was heard, and knows of nothing newer than ``term``."""
        others = [told for name, told in self.heard.items() if name != self.asker]
        return bool(others) and all(told.term <= term for told in others)

    @property
    def begun(self) -> int:
        """The last term that a node is known to have led in."""
        return max(told.led for told in self.heard.values())


def hear(before: Told | None, asked: Asked, now: float) -> Told:
    """Remember what a node tells by asking."""
    leads = asked.wish is Wish.HOLD and asked.report.role is Role.LEADER
    term, led = asked.term, asked.term if leads else 0
    if before is not None:
        term, led = max(term, before.term), max(led, before.led)
    return Told(asked.report, now, term, led)


def decide(lease: Lease, asked: Asked, at: Moment) -> tuple[Lease, bool]:
    """The lease after the question, and whether who asked holds it."""
    match asked.wish:
        case Wish.HOLD:
            return _hold(lease, asked, at)
        case Wish.ACQUIRE:
            return _acquire(lease, asked, at)
        case Wish.GIVE if asked.to is not None:
            after, held = _hold(lease, asked, at)
            if not held:
                return after, False
            # What wasn't known before the question, isn't by it: which terms there have been.
            return _grant(replace(after, presumed=lease.presumed), asked.to, at), False
        case Wish.FORCE:
            return _grant(lease, at.asker, at), True
    return lease, False


def _hold(lease: Lease, asked: Asked, at: Moment) -> tuple[Lease, bool]:
    if asked.term > lease.kept.term:
        return _claim(lease, asked, at)
    is_its = (lease.kept.holder, lease.kept.term) == (at.asker, asked.term)
    if not is_its or at.now < lease.refused_until or not _is_sure(lease, asked.lapsed, at):
        return lease, False
    begun = asked.term if asked.report.role is Role.LEADER else lease.kept.begun
    return _lasting(replace(lease.kept, begun=begun), at), True


def _claim(lease: Lease, asked: Asked, at: Moment) -> tuple[Lease, bool]:
    """A term that isn't stored here: granted before a backup, or by a person while we were away.

    Theirs is newer, so they get it; but no earlier than the time of who holds the lease is over.
    """
    runs = at.now < lease.until
    is_anothers = not lease.presumed and lease.kept.holder != at.asker
    if runs and (is_anothers or (lease.presumed and asked.lapsed)):
        return replace(lease, refused_until=at.now + at.rules.ttl), False
    begun = max(at.begun, lease.kept.begun)
    return _lasting(Kept(asked.term, at.asker, begun), at), True


def _acquire(lease: Lease, asked: Asked, at: Moment) -> tuple[Lease, bool]:
    was_granted = lease.kept.holder == at.asker and asked.term < lease.kept.term
    refused = at.now < lease.refused_until
    if was_granted and at.now < lease.until and not refused and _is_sure(lease, True, at):
        return _lasting(lease.kept, at), True  # it never heard so
    nobody_led = lease.kept.holder is None and at.others_agree(lease.kept.term)
    if lease.free_in(at.now, at.rules) > 0 and not (nobody_led and not refused):
        return lease, False
    return _grant(lease, at.asker, at), True


def _grant(lease: Lease, to: str, at: Moment) -> Lease:
    """A new term, higher than any that is known."""
    known = max(lease.kept.term, *(told.term for told in at.heard.values()))
    if lease.presumed and not at.others_agree(lease.kept.term):
        known = max(known, at.unheard - 1)
    return _lasting(Kept(known + 1, to, max(at.begun, lease.kept.begun)), at)


def _is_sure(lease: Lease, lapsed: bool, at: Moment) -> bool:
    """Whether the holder that is stored may go on: nobody else's lease can be running."""
    if not lease.presumed or not lapsed or at.now >= lease.until:
        return True
    return at.others_agree(lease.kept.term)


def _lasting(kept: Kept, at: Moment) -> Lease:
    return Lease(kept, at.now + at.rules.ttl, presumed=False)

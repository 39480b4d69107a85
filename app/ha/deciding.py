"""What a node does next: a function of how things stand, and of nothing else."""

from dataclasses import dataclass
from enum import StrEnum

from app.leading import Role


class Move(StrEnum):
    """What to do next."""

    STAY = "stay"  # nothing: lead on, stand by, or wait
    RECLAIM = "reclaim"  # the authority has us as the holder: hold on to it
    ACQUIRE = "acquire"  # nobody leads, and nothing is missing here
    TAKE_OVER = "take_over"  # the term is ours, the database is not of it yet
    OPEN = "open"  # both are: open the doors
    STEP_DOWN = "step_down"  # another leads
    SET_ASIDE = "set_aside"  # our database is of a term that is over
    FOLLOW = "follow"  # copy what the leader writes
    SWITCH_OVER = "switch_over"  # the other one shall lead, in order
    REPLACE = "replace"  # another database shall be led with, in a new term
    GIVE_UP = "give_up"  # it shall not: another leads meanwhile


@dataclass(frozen=True)
class Told:
    """What the authority said last, if it answers: see `app.lease.Answer`."""

    holder: str | None
    term: int
    begun: int
    is_free: bool


class Replacement(StrEnum):
    """Whether another database is being put in place."""

    NONE = "none"
    WANTED = "wanted"
    FORCED = "forced"  # by a person who said that nobody else leads


@dataclass(frozen=True)
class Situation:
    """How things stand. Terms are None where there is none.

    ``held``: the term that this node holds. ``data``: the term of the database in place, 0 for one
    that no node of two ever led with. ``copy``: the term that this node has a copy of.
    ``following``: the one that it follows. ``opened``: whether the leader's parts run.
    ``other_may``: the other node could lead at once, and it or a person wants it to.
    """

    node: str
    role: Role
    held: int | None
    data: int | None
    copy: int | None
    following: int | None
    opened: bool
    preferred: bool
    paused: bool
    other_may: bool
    told: Told | None
    replacement: Replacement = Replacement.NONE


def decide(now: Situation) -> Move:
    """What to do next."""
    if now.replacement is not Replacement.NONE:
        return _replacing(now)
    if now.held is not None:
        return _holding(now, now.held)
    if now.role is not Role.STANDBY:
        return Move.STEP_DOWN
    return Move.STAY if now.told is None else _told(now, now.told)


def _told(now: Situation, told: Told) -> Move:
    if told.holder == now.node and not told.is_free and _is_newest(now, told):
        return Move.RECLAIM
    if told.is_free and not now.paused and _is_whole(now, told):
        return Move.ACQUIRE
    return _standing_by(now, told)


def _holding(now: Situation, held: int) -> Move:
    if now.data != held:
        return Move.TAKE_OVER
    if now.role is not Role.LEADER or not now.opened:
        return Move.OPEN
    return Move.SWITCH_OVER if now.other_may else Move.STAY


def _replacing(now: Situation) -> Move:
    """Whoever holds the lease goes on with it; who doesn't, unless another may lead."""
    if now.held is not None or now.replacement is Replacement.FORCED:
        return Move.REPLACE
    if now.told is None:
        return Move.STAY
    if now.told.holder not in {None, now.node} and not now.told.is_free:
        return Move.GIVE_UP
    return Move.REPLACE


def _is_newest(now: Situation, told: Told) -> bool:
    """Whether nothing newer than what is here was ever led with: a machine whose disk was lost
    would hold on to its term with nothing in its hands.

    In a term that was begun here, with the file of then alone: a copy of it would be replicated
    over what it is a copy of. With that it may lead in the next.
    """
    if told.term == told.begun:
        return (now.data or 0) >= told.begun
    return max(now.data or 0, now.copy or 0) >= told.begun


def _is_whole(now: Situation, told: Told) -> bool:
    """Whether this node has all that was ever led with, and so may lead without losing any.

    Where nobody led yet, the preferred node begins: it may have a database from before there were
    two.
    """
    if told.begun == 0:
        return now.preferred
    return told.begun in (now.data, now.copy)


def _standing_by(now: Situation, told: Told) -> Move:
    if now.data is not None and now.data < told.begun:
        return Move.SET_ASIDE
    # A database of the term that was last begun stays: the new holder may never get to lead.
    if now.data is None and told.begun > 0 and now.following != told.begun:
        return Move.FOLLOW
    return Move.STAY

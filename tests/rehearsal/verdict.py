"""From what guests wrote and what the provider was handed: what is lost, what came twice, pauses.

Pure. Times are seconds since the epoch, of one clock.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Told:
    """What a guest wrote: the key its reply will have, when, and when a door said 200 to it."""

    key: str
    at: float
    accepted_at: float | None


@dataclass(frozen=True)
class Handed:
    """A message that the provider took; ``source`` is the address of the machine that sent it."""

    key: str | None
    at: float
    source: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of all that was told.

    ``lost``: accepted and never answered. ``doubled``: answered more than once. ``unaccepted``: no
    door has said 200, so nothing was promised; one of them may be answered all the same, as an
    answer of ours may have been lost on its way.
    """

    told: int
    answered: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    unaccepted: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost and nothing came twice."""
        return not self.lost and not self.doubled


def judge(told: Iterable[Told], handed: Iterable[Handed]) -> Verdict:
    """Hold what was handed over against what was told."""
    asked = {one.key: one for one in told}
    answers = Counter(one.key for one in handed if one.key in asked)
    silent = [one for one in asked.values() if one.key not in answers]
    return Verdict(
        told=len(asked),
        answered=len(answers),
        lost=tuple(one.key for one in silent if one.accepted_at is not None),
        doubled=tuple(key for key, times in answers.items() if times > 1),
        unaccepted=tuple(one.key for one in asked.values() if one.accepted_at is None),
    )


def first_reply(handed: Iterable[Handed], after: float, source: str | None = None) -> float | None:
    """Seconds from ``after`` to the first reply then, by ``source`` if that is given."""
    times = [
        one.at for one in handed if one.at >= after and (source is None or one.source == source)
    ]
    return min(times) - after if times else None


def longest_pause(handed: Iterable[Handed], since: float, until: float) -> float:
    """The longest time without any reply between two moments at which guests were writing."""
    times = sorted(one.at for one in handed if since <= one.at <= until)
    marks = [since, *times, until]
    return max(later - earlier for earlier, later in pairwise(marks))


def terms_of(databases: Iterable[Mapping[str, int]]) -> dict[str, set[int]]:
    """The terms in which each message was claimed for sending, over all databases."""
    terms: dict[str, set[int]] = defaultdict(set)
    for rows in databases:
        for key, term in rows.items():
            terms[key].add(term)
    return dict(terms)


def shared_terms(
    handed: Iterable[Handed], terms: Mapping[str, Collection[int]]
) -> dict[int, list[str]]:
    """The terms in which more than one machine sent, each with the machines' addresses.

    A message that was claimed in two terms says nothing: in one of them its echo may have settled
    it, and which one sent it is not known.
    """
    sources: dict[int, set[str]] = defaultdict(set)
    for one in handed:
        claimed = terms.get(one.key, ()) if one.key is not None else ()
        if len(claimed) == 1 and one.source is not None:
            sources[next(iter(claimed))].add(one.source)
    return {term: sorted(found) for term, found in sources.items() if len(found) > 1}

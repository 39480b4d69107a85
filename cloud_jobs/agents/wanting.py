"""Who is likely to want what: rules of a front desk, corrected by what guests took and declined.

For each kind of offer the rules say how likely a guest like this takes it (:func:`expected`). That
is a Beta prior worth `WORTH` offers; what came of real offers is added to it. Each feature of the
stay then moves the result by how much guests with that feature differ from all, which is naive
Bayes: log-odds add up, and features that go together count twice. So a score ranks kinds and
stays; as a probability it is no better than the rules until there are some hundred offers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

# How many offers an opinion of ours outweighs: that of the rules, and that a feature is no matter.
WORTH: Final = 20
_NIGHTS: Final = (1, 3, 7)  # bounds of the groups: 1, 2 to 3, 4 to 7, more
_LEAD_DAYS: Final = (3, 14, 60)
_COUPLE: Final = 2


class Kind(StrEnum):
    """What may be offered: what the desk knows a price of (docs/property.md)."""

    EARLY_CHECKIN = "early_checkin"
    LATE_CHECKOUT = "late_checkout"
    TRANSFER = "transfer"
    EXTRA_GUEST = "extra_guest"


@dataclass(frozen=True)
class Stay:
    """What is known of a stay; None is what isn't. ``booked_on`` is by the property's clock."""

    arrival: date
    departure: date
    booked_on: date
    channel: str
    party: int | None = None
    language: str | None = None
    flies: bool = False


@dataclass(frozen=True)
class Offered:
    """An offer that was made for a stay, and whether the guest took it."""

    kind: Kind
    stay: Stay
    accepted: bool


Cell = tuple[Kind, str]


@dataclass(frozen=True)
class Learned:
    """Offers that were decided and accepted, by kind and feature; the feature "" is all."""

    decided: Mapping[Cell, int]
    accepted: Mapping[Cell, int]


NOTHING: Final = Learned({}, {})
_ALL: Final = ""


def learn(offers: Iterable[Offered]) -> Learned:
    """Count what came of offers."""
    decided: Counter[Cell] = Counter()
    accepted: Counter[Cell] = Counter()
    for offer in offers:
        for feature in (_ALL, *features(offer.stay)):
            decided[offer.kind, feature] += 1
            accepted[offer.kind, feature] += offer.accepted
    return Learned(decided, accepted)


def scores(stay: Stay, learned: Learned, today: date) -> dict[Kind, float]:
    """How likely the guest takes each kind that still makes sense ``today``, the likeliest first.

    0 to 1; the same for the same stay, offers and day.
    """
    found = {kind: _score(kind, stay, learned) for kind in Kind if makes_sense(kind, stay, today)}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def makes_sense(kind: Kind, stay: Stay, today: date) -> bool:
    """Whether there is still time for it: the desk needs a day to prepare."""
    if kind is Kind.LATE_CHECKOUT:
        return today < stay.departure
    if kind is Kind.EXTRA_GUEST:
        return today < stay.departure - timedelta(days=1)
    return today < stay.arrival


def expected(kind: Kind, stay: Stay) -> float:
    """What the rules say before anything is learned. Opinions, not measurements."""
    match kind:
        case Kind.TRANSFER:
            return 0.30 if stay.flies else 0.08
        case Kind.EARLY_CHECKIN:
            return 0.25 if stay.flies else 0.18
        case Kind.LATE_CHECKOUT:
            return 0.25 if _nights(stay) > 1 else 0.15
        case Kind.EXTRA_GUEST:
            return 0.06 if stay.party == 1 else 0.02


def features(stay: Stay) -> list[str]:
    """What of a stay is learned by; what isn't known is left out."""
    lead = (stay.arrival - stay.booked_on).days
    known = [
        f"channel {stay.channel}",
        f"nights {_group(_nights(stay), _NIGHTS)}",
        f"lead {_group(lead, _LEAD_DAYS)}",
        f"flies {stay.flies}",
    ]
    if stay.party is not None:
        known.append(f"party {min(stay.party, _COUPLE + 1)}")
    if stay.language is not None:
        known.append(f"language {stay.language}")
    return known


def rate(accepted: int, decided: int, prior: float) -> float:
    """The mean of Beta(prior) after ``decided`` offers of which ``accepted`` were taken."""
    return (accepted + WORTH * prior) / (decided + WORTH)


def _score(kind: Kind, stay: Stay, learned: Learned) -> float:
    overall = _rate_of(learned, (kind, _ALL), expected(kind, stay))
    moved = math.fsum(
        _log_odds(_rate_of(learned, (kind, feature), overall)) - _log_odds(overall)
        for feature in features(stay)
    )
    return 1 / (1 + math.exp(-_log_odds(overall) - moved))


def _rate_of(learned: Learned, cell: Cell, prior: float) -> float:
    return rate(learned.accepted.get(cell, 0), learned.decided.get(cell, 0), prior)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _nights(stay: Stay) -> int:
    return (stay.departure - stay.arrival).days


def _group(number: int, bounds: tuple[int, ...]) -> str:
    return next((f"to {bound}" for bound in bounds if number <= bound), f"over {bounds[-1]}")

"""Counting: shares, spreads and percentiles, exact and the same each time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from statistics import median
from typing import Final, TypeVar

from cloud_jobs.agents.figures import Spread

_PLACES: Final = Decimal("0.0001")
N = TypeVar("N", int, Decimal)


def share(part: int, whole: int) -> Decimal | None:
    """``part / whole`` to four places; None where there is no whole."""
    return None if whole == 0 else (Decimal(part) / whole).quantize(_PLACES)


def percentile(values: Sequence[N], percent: int) -> N | None:
    """The smallest of the sorted ``values`` that ``percent`` of them don't exceed (nearest rank).

    So it is always one of them; None where there are none.
    """
    if not values:
        return None
    return values[-(-len(values) * percent // 100) - 1]


def spread(values: Iterable[int]) -> Spread:
    """How whole numbers are spread."""
    ordered = sorted(values)
    if not ordered:
        return Spread(count=0, mean=None, median=None, p95=None)
    return Spread(
        count=len(ordered),
        mean=share(sum(ordered), len(ordered)),
        median=Decimal(str(median(ordered))),
        p95=percentile(ordered, 95),
    )


def counted(values: Iterable[str]) -> dict[str, int]:
    """How often each occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))

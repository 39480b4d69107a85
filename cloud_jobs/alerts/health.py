"""Whether somebody is there, judged by signs of life: never at the first one, nor the first missed.

Who was never heard of is unknown, not down: a cloud that is set up before its desk wakes nobody.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# So long without a sign, and so many looks without one: after a rest of our own, one look is none.
DOWN_AFTER: Final = timedelta(minutes=2)
MISSES: Final = 2
# A line that comes and goes is no desk that is back.
SIGNS: Final = 2


class Health(StrEnum):
    """How it is."""

    UNKNOWN = "unknown"  # was never heard of
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Watch:
    """What is known after a look: ``health`` since when, and when it was last ``heard_at``.

    ``missed``: looks in a row without a sign; ``signs``: with one.
    """

    health: Health
    since: datetime
    heard_at: datetime | None = None
    missed: int = 0
    signs: int = 0


def judge(watch: Watch, *, heard: bool, now: datetime) -> Watch:
    """After one more look, in which there was a sign of life, or none."""
    seen = replace(
        watch,
        heard_at=now if heard else watch.heard_at,
        signs=watch.signs + 1 if heard else 0,
        missed=0 if heard else watch.missed + 1,
    )
    health = _health(seen, now)
    return seen if health is watch.health else replace(seen, health=health, since=now)


def _health(seen: Watch, now: datetime) -> Health:
    if seen.heard_at is None:
        return Health.UNKNOWN
    match seen.health:
        case Health.UNKNOWN:
            return Health.UP
        case Health.UP:
            silent = now - seen.heard_at >= DOWN_AFTER and seen.missed >= MISSES
            return Health.DOWN if silent else Health.UP
        case Health.DOWN:
            return Health.UP if seen.signs >= SIGNS else Health.DOWN

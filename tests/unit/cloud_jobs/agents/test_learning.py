"""Does it learn what guests want, where that isn't what the rules say? Invented guests, drawn once.

It shows that what is there to be learned is, from so many offers. It says nothing of real guests.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from random import Random
from typing import Final

from cloud_jobs.agents.wanting import NOTHING, Kind, Learned, Offered, Stay, learn, scores

DAY: Final = date(2026, 12, 4)
STAYS: Final = 400
_LEARNS_EACH: Final = 20  # as from one round to the next


def guests() -> Iterator[tuple[Stay, set[Kind]]]:
    """Stays, and what each guest would take if it were offered."""
    chance = Random(20261204)
    while True:
        stay = Stay(
            arrival=DAY,
            departure=DAY + timedelta(days=chance.choice((1, 2, 3, 7))),
            booked_on=DAY - timedelta(days=chance.choice((1, 10, 40, 90))),
            channel=chance.choice(("direct", "Booking.com")),
            party=chance.choice((1, 2, 4)),
            language=chance.choice(("it", "en", "de")),
            flies=chance.random() < 0.5,
        )
        yield stay, {kind for kind in Kind if chance.random() < wants(kind, stay)}


def wants(kind: Kind, stay: Stay) -> float:
    """Not what the rules think: who flies here is fetched by friends."""
    if kind is Kind.TRANSFER:
        return 0.05
    if kind is Kind.LATE_CHECKOUT:
        return 0.55 if stay.channel == "direct" else 0.08
    if kind is Kind.EARLY_CHECKIN:
        return 0.45 if stay.language == "de" else 0.10
    return 0.40 if stay.party == 4 else 0.02


def season(*, is_learning: bool) -> list[Offered]:
    """Each guest is offered the likeliest, one in ten something else; what came of it."""
    made: list[Offered] = []
    learned: Learned = NOTHING
    for number, (stay, wanted) in enumerate(islice(guests(), STAYS)):
        if is_learning and number % _LEARNS_EACH == 0:
            learned = learn(made)
        order = list(scores(stay, learned, DAY - timedelta(days=1)))
        kind = list(Kind)[number // 10 % len(Kind)] if number % 10 == 0 else order[0]
        made.append(Offered(kind, stay, accepted=kind in wanted))
    return made


def accepted(made: list[Offered]) -> float:
    return sum(offer.accepted for offer in made) / len(made)


def test_after_some_hundred_offers_more_are_taken_than_by_rules_alone() -> None:
    half = STAYS // 2
    by_rules, by_learning = season(is_learning=False), season(is_learning=True)
    assert accepted(by_learning[half:]) > accepted(by_rules[half:]) + 0.1

"""A booking as it is told: thin, or with all that matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cloud_jobs.known.reservation import TOLD, Change, ReservationTold
from tests.support.cloud_layer import Layer

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
TODAY = datetime.now(UTC).date()
SOON, LATER = TODAY + timedelta(days=20), TODAY + timedelta(days=24)
NAME = {"channel": "booking.com", "code": "5592650001"}


def story(minutes: int = 0, change: Change = Change.NEW, **facts: Any) -> ReservationTold:
    at = AT + timedelta(minutes=minutes)
    return ReservationTold(told_by="mail", told_at=at, change=change, **NAME, **facts)


def whole(minutes: int = 0, **facts: Any) -> ReservationTold:
    known: dict[str, Any] = {
        "guest_name": "Ada Invented",
        "phone": "+390000000001",
        "arrival": SOON,
        "departure": LATER,
        "party": 2,
    }
    return story(minutes, **(known | facts))


def tell(cloud: Layer, *stories: ReservationTold) -> None:
    for one in stories:
        cloud.tell(TOLD, one.model_dump(mode="json", exclude_none=True))
        cloud.run_all()

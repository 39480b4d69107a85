"""What a late flight does to a guest's arrival at the property's door.

Who is likely to want what is the other half of foretelling: `cloud_jobs.agents.wanting`.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from cloud_jobs.settings import CloudSettings

# A check-in that ends before noon ends in the night after the day of arrival.
_NOON: Final = time(12)


class Arrival(StrEnum):
    """How a guest will come."""

    ON_TIME = "on_time"
    LATE = "late"
    AFTER_HOURS = "after_hours"  # when check-in is over: somebody must be there, or a key


@dataclass(frozen=True)
class Effect:
    """``at_door`` is when the guest is expected, aware, by the property's clock."""

    arrival: Arrival
    at_door: datetime


def effect_of_flight(
    settings: CloudSettings, *, day: date, scheduled_in: datetime, expected_in: datetime
) -> Effect:
    """How who was to land at ``scheduled_in`` and lands at ``expected_in`` (aware) will arrive.

    ``day`` is the stay's first. Without ``check_in_until`` nobody comes after hours: check-in has
    no end that is known.
    """
    at_door = (expected_in + settings.transfer_time).astimezone(settings.zone)
    closing = _closing(settings, day)
    if closing is not None and at_door > closing:
        return Effect(Arrival.AFTER_HOURS, at_door)
    is_late = expected_in - scheduled_in >= settings.flight_threshold
    return Effect(Arrival.LATE if is_late else Arrival.ON_TIME, at_door)


def _closing(settings: CloudSettings, day: date) -> datetime | None:
    until = settings.check_in_until
    if until is None:
        return None
    night = timedelta(days=1) if until < _NOON else timedelta(0)
    return datetime.combine(day + night, until, tzinfo=settings.zone)

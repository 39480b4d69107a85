"""What is told of guests' flights: the payloads of ``flight.delayed`` and ``flight.cancelled``."""

from datetime import date, datetime
from typing import Final

from cloud_jobs.runtime.job import Payload

MOVED: Final = "flight.delayed"
CANCELLED: Final = "flight.cancelled"


class FlightTold(Payload):
    """A flight of one day, and when it comes. ``number`` has no spaces; times are aware."""

    number: str
    day: date
    fa_flight_id: str | None = None
    scheduled_in: datetime | None = None
    expected_in: datetime | None = None


class FlightMoved(FlightTold):
    """It comes at another time than was known, later or earlier: the ``change``-th time so.

    Who tells of it besides the watch (a person, a test) need not count.
    """

    scheduled_in: datetime
    expected_in: datetime
    change: int = 0

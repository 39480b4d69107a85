"""Several mails about one booking: the newest wins, older ones fill what it leaves out."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce

from cloud_jobs.mail.dates import in_order
from cloud_jobs.mail.results import Reservation

_FILLED = ("guest_name", "phone", "email", "unit", "party", "language")
_NEVER = datetime.min.replace(tzinfo=UTC)


def newest_wins(mails: Iterable[Reservation]) -> Reservation:
    """The booking as all ``mails`` together tell it, in whatever order they come.

    A mail without a date is the oldest; of two of the same moment the later in ``mails`` is the
    newer. Raises ValueError for none, or of two bookings.
    """
    in_time = sorted(mails, key=lambda mail: mail.received_at or _NEVER)
    if len({(mail.numbered_by, mail.code) for mail in in_time}) != 1:
        raise ValueError("newest_wins takes the mails of one booking: same numbered_by and code")
    return reduce(_merged, in_time)


def _merged(older: Reservation, newer: Reservation) -> Reservation:
    gaps = {name: getattr(older, name) for name in _FILLED if getattr(newer, name) is None}
    if newer.arrival is None or older.arrival in {None, newer.arrival}:
        gaps |= _of_the_same_stay(older, newer)
    return replace(newer, **gaps)


def _of_the_same_stay(older: Reservation, newer: Reservation) -> dict[str, object]:
    """A thin mail of another arrival doesn't keep the departure or the price of the old one."""
    arrival = newer.arrival or older.arrival
    departure = newer.departure or older.departure
    if in_order(arrival, departure) != (arrival, departure):
        arrival, departure = newer.arrival, newer.departure
    same = departure == older.departure and newer.price is None
    price = (older.price, older.currency) if same else (newer.price, newer.currency)
    return dict(
        zip(
            ("arrival", "departure", "price", "currency"),
            (arrival, departure, *price),
            strict=True,
        )
    )

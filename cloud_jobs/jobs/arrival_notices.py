"""Arrival instructions: the day before, at the hour that the settings say, once for a stay.

Who books after that hour, for tomorrow or today, is told when the booking becomes known.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

from cloud_jobs.known import stays
from cloud_jobs.runtime.job import Cron, Job, Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.known import KnownStay

TEMPLATE: Final = "arrival_instructions"
_LONGER_THAN_ANY_DELAY: Final = timedelta(days=30)


class Arriving(Payload):
    """A stay that begins: whom and what a notice is about."""

    guest: str
    channel: str
    code: str
    booking_id: int
    arrival: date


class BookingChanged(Payload):
    """The desk's ``booking.changed``, as far as it matters here."""

    channel: str
    code: str


def _key(stay: Arriving) -> str:
    """One of a stay and day: who then comes on another day is told anew."""
    return f"arrival:{stay.booking_id}:{stay.arrival}"


def arrival_notices(settings: CloudSettings) -> Job[Nothing]:
    """The job, by the settings' clock."""
    at = settings.arrival_notice_at
    declare = job(
        "arrival-notices",
        Cron(f"{at.minute} {at.hour} * * *"),
        queue=Queue.NOTICES,
        payload=Nothing,
    )
    return declare(_tell_tomorrows)


def _tell_tomorrows(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Tell everybody who comes tomorrow; and who comes today, if yesterday this didn't run."""
    arriving = run.decide("arriving", lambda: _coming(run), list[Arriving])
    for stay in arriving:
        _start(run, stay)
    return {"arriving": len(arriving)}


@job("late-arrival-notice", On("booking.changed"), queue=Queue.NOTICES, payload=BookingChanged)
def late_arrival_notice(run: RunContext, payload: BookingChanged) -> None:
    """Tell the guest of one booking, if the hour at which they would have been told is past."""
    for stay in run.decide("arriving", lambda: _come_late(run, payload), list[Arriving]):
        _start(run, stay)


@job(
    "arrival-notice",
    queue=Queue.NOTICES,
    payload=Arriving,
    once=(_key, _LONGER_THAN_ANY_DELAY),
)
def arrival_notice(run: RunContext, stay: Arriving) -> None:
    """Have the desk send it; what it says (name, time, how to get in) the desk fills in."""
    run.command(
        "send",
        "SEND_MESSAGE",
        {
            "guest": stay.guest,
            "booking": {"channel": stay.channel, "code": stay.code},
            "template": {"name": TEMPLATE},
            "dedupe_key": _key(stay),
        },
    )


def _start(run: RunContext, stay: Arriving) -> None:
    run.start(_key(stay), arrival_notice.name, stay.model_dump(mode="json"))


def _coming(run: RunContext) -> list[Arriving]:
    today = datetime.now(run.settings.zone).date()
    with run.store.reading() as session:
        found = stays.arriving(session, today, today + timedelta(days=1))
    return [arriving for stay in found if (arriving := _of(stay)) is not None]


def _come_late(run: RunContext, payload: BookingChanged) -> list[Arriving]:
    now = datetime.now(run.settings.zone)
    with run.store.reading() as session:
        stay = stays.find(session, payload.channel, payload.code)
    arriving = None if stay is None or stay.status != stays.CONFIRMED else _of(stay)
    if arriving is None:
        return []
    days_ahead = (arriving.arrival - now.date()).days
    is_past = days_ahead == 0 or (days_ahead == 1 and now.time() >= run.settings.arrival_notice_at)
    return [arriving] if is_past else []


def _of(stay: KnownStay) -> Arriving | None:
    """None where nobody is known to be told."""
    if stay.guest is None or stay.arrival is None:
        return None
    return Arriving(
        guest=stay.guest,
        channel=stay.channel,
        code=stay.code,
        booking_id=stay.booking_id,
        arrival=stay.arrival,
    )

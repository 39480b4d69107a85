"""What Smoobu's webhook may have missed: every quarter of an hour its newest bookings."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy.orm import Session

from cloud_jobs.jobs.smoobu_booking import smoobu_booking
from cloud_jobs.runtime.job import Every, Nothing, Payload, Queue, RetryableError, RunContext, job
from cloud_jobs.sources import reading, smoobu
from cloud_jobs.sources.http import Service
from cloud_jobs.sources.smoobu import Page
from cloud_jobs.sources.smoobu_telling import Came, news

SOURCE: Final = "smoobu"
# Smoobu is asked by days of a clock that it doesn't name: a day more covers every one.
OVERLAP: Final = timedelta(days=1)
# A year of a small hotel; more says that the pages don't end.
_MOST_PAGES: Final = 100


class _Since(Payload):
    """The first day that is asked for; None: never before, so whatever isn't over."""

    day: date | None


@job(
    "smoobu-sync",
    Every(timedelta(minutes=15)),
    queue=Queue.INTAKE,
    payload=Nothing,
    concurrency_key=lambda _: SOURCE,
)
def smoobu_sync(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Hand on whatever is new; ask from here the next time."""
    if not smoobu.is_configured(run.settings):
        return {"configured": False}
    now = run.decide("now", lambda: datetime.now(UTC), datetime)
    since = run.decide("since", lambda: _since(run), _Since)
    found = unreadable = 0
    with smoobu.opened(run.settings) as service:
        for number in range(1, _MOST_PAGES + 1):
            page = run.step(f"page:{number}", partial(_ask, run, service, since, number), Page)
            found += _hand_on(run, page, number, now)
            unreadable += page.unreadable
            if number >= page.page_count:
                break
        else:
            raise RetryableError(f"Smoobu has more than {_MOST_PAGES} pages")
    run.step("read", lambda: True, bool, also=lambda session, _: _mark(session, now))
    if unreadable:
        run.log("bookings without a number were left out", bookings=unreadable)
    return {"bookings": found, "unreadable": unreadable}


def _since(run: RunContext) -> _Since:
    with run.store.reading() as session:
        read_at = reading.read_until(session, SOURCE)
    if read_at is None:
        return _Since(day=None)
    return _Since(day=(read_at.astimezone(run.settings.zone) - OVERLAP).date())


def _ask(run: RunContext, service: Service, since: _Since, number: int) -> Page:
    if since.day is not None:
        return smoobu.modified_since(service, since.day, number)
    return smoobu.not_over(service, datetime.now(run.settings.zone).date(), number)


def _hand_on(run: RunContext, page: Page, number: int, now: datetime) -> int:
    """Start the job of each booking that has news; how many. Most of a page is known."""
    with run.store.reading() as session:
        fresh = {
            booking.id: came
            for booking in page.bookings
            if news(session, run.settings, came := Came(booking=booking), now)
        }
    # By the page too: a booking that changes meanwhile comes again on another.
    for smoobu_id, came in fresh.items():
        payload = came.model_dump(mode="json", by_alias=True)
        run.start(f"booking:{number}:{smoobu_id}", smoobu_booking.name, payload)
    return len(fresh)


def _mark(session: Session, now: datetime) -> None:
    reading.mark_read(session, SOURCE, now)

"""The flights of guests who come: asked for while it matters, told of when it does."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from cloud_jobs.known.flights import CANCELLED, MOVED
from cloud_jobs.runtime.job import Cron, Nothing, Payload, Queue, RunContext, job
from cloud_jobs.sources import flight_watch, flightaware
from cloud_jobs.sources.flight_watch import Due, Outcome, Tell
from cloud_jobs.sources.flightaware import Flights
from cloud_jobs.sources.http import RefusedError, Service, UnavailableError
from cloud_jobs.store.sources import Flight


class _Look(Payload):
    """What was due when the run looked."""

    at: datetime
    due: tuple[Due, ...]


@job(
    "watch-flights",
    Cron("*/15 * * * *"),
    queue=Queue.WATCH,
    payload=Nothing,
    concurrency_key=lambda _: "flights",
    # The next tick asks anew; what is tried again for longer would only be paid twice.
    attempts=3,
    optional=True,
)
def watch_flights(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Ask for each flight whose time it is; one that can't be had doesn't keep the others."""
    if not flightaware.is_configured(run.settings):
        return {"configured": False}
    look = run.decide("due", lambda: _look(run), _Look)
    failed: UnavailableError | None = None
    if not look.due:
        return {"asked": 0}
    with flightaware.opened(run.settings) as service:
        for flight in look.due:
            try:
                _watch(run, service, flight, look.at)
            except UnavailableError as error:
                failed = error
                if error.after is not None:
                    break  # it wants to be left alone
    if failed is not None:
        raise failed
    return {"asked": len(look.due)}


def _look(run: RunContext) -> _Look:
    now = datetime.now(UTC)
    with run.store.writing() as session:
        return _Look(at=now, due=tuple(flight_watch.due(session, run.settings, now)))


def _watch(run: RunContext, service: Service, flight: Due, now: datetime) -> None:
    def ask() -> Outcome:
        found = _ask(run, service, flight, now)
        with run.store.reading() as session:
            row = session.get_one(Flight, flight.seq)
        seen = flightaware.pick(found or Flights(), flight.day, run.settings.zone)
        outcome = flight_watch.outcome(row, seen, run.settings, now)
        return outcome.model_copy(update={"answered": found is not None})

    def keep(session: Session, outcome: Outcome) -> None:
        flight_watch.write(session, flight.seq, outcome)

    outcome = run.step(f"ask:{flight.key}", ask, Outcome, also=keep)
    if outcome.answered:
        run.meter(f"asked:{flight.key}", flightaware.RESULT_SET)
    if outcome.tell is not None:
        name = MOVED if outcome.tell is Tell.MOVED else CANCELLED
        run.emit(f"tell:{flight.key}", name, _payload(flight, outcome))


def _ask(run: RunContext, service: Service, flight: Due, now: datetime) -> Flights | None:
    """Ask, by its name once that is known; None for a number that isn't taken for one."""
    try:
        if flight.fa_flight_id is not None:
            return flightaware.one(service, flight.fa_flight_id)
        return flightaware.of_day(service, flight.number, flight.day, now)
    except RefusedError as error:
        if error.is_about_key:
            raise
        run.log("FlightAware refuses a flight's number", status=error.status)
        return None


def _payload(flight: Due, outcome: Outcome) -> dict[str, Any]:
    return {
        "number": flight.number,
        "day": flight.day.isoformat(),
        "fa_flight_id": outcome.fa_flight_id,
        "scheduled_in": _iso(outcome.scheduled_in),
        "expected_in": _iso(outcome.expected_in),
        "change": outcome.changes,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None

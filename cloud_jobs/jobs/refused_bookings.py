"""What the desk refused of a booking that it was told of is for a person: else nobody knows it."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import raise_alert
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.runtime.job import Every, Nothing, Queue, RunContext, job
from cloud_jobs.store.exchange import Command
from cloud_jobs.store.runs import Run

REFUSED: Final = "booking_refused"
_EVERY: Final = timedelta(minutes=15)
# Overlapping: an alert of a key is raised once.
_LOOKS_BACK: Final = 4 * _EVERY
# What the booking's end makes of a cancellation, or an erasure of what was under way.
_EXPECTED: Final = ("booking_unknown", "booking_over", "guest_erased")


class _Refused(NamedTuple):
    """``booking``: its channel and number, as `tell-desk` has them for its concurrency key."""

    command_id: str
    command: str
    error: str | None
    booking: str | None


@job("refused-bookings", Every(_EVERY), queue=Queue.UPKEEP, payload=Nothing)
def refused_bookings(run: RunContext, _: Nothing) -> dict[str, int]:
    """Call a person for each command about a booking that the desk has refused of late."""
    now = run.decide("now", lambda: datetime.now(UTC), datetime)
    with run.store.reading() as session:
        refused = _refused(session, now)

    def call(session: Session, _: bool) -> None:
        for one in refused:
            _call(run, session, one, now)

    run.step("call", lambda: True, bool, also=call)
    return {"refused": len(refused)}


def _refused(session: Session, now: datetime) -> list[_Refused]:
    query = (
        select(Command.command_id, Command.name, Command.error, Run.concurrency_key)
        .join(Run, Run.run_id == Command.run_id)
        .where(
            Command.state == CommandState.FAILED,
            Command.settled_at > now - _LOOKS_BACK,
            Command.error.not_in(_EXPECTED),
            Run.job == tell_desk.name,
        )
        .order_by(Command.seq)
    )
    return [_Refused(*row) for row in session.execute(query)]


def _call(run: RunContext, session: Session, refused: _Refused, now: datetime) -> None:
    raise_alert(
        session,
        run.seal,
        run.settings,
        key=f"{REFUSED}:{refused.command_id}",
        kind=REFUSED,
        text=(
            f"The desk refused {refused.command} for the booking {refused.booking}: "
            f"{refused.error}. See to it yourself."
        ),
        now=now,
    )

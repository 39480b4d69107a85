"""Offers: once a day for every stay that runs or comes soon, and when a booking becomes known."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from cloud_jobs.agents import upsell
from cloud_jobs.runtime.job import Also, Cron, Nothing, On, Payload, Queue, RunContext, job


class StayPayload(Payload):
    """A stay by the desk's number of it."""

    booking_id: int


class BookingChanged(StayPayload):
    """The desk's ``booking.changed``, as far as it matters here."""

    status: str


class Chosen(Payload):
    """What was chosen for a stay; None if nothing was."""

    choice: upsell.Choice | None = None


@job("upsell-round", Cron("30 10 * * *"), queue=Queue.NOTICES, payload=Nothing, optional=True)
def upsell_round(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Look at every stay that may be offered something."""
    now = run.step("now", lambda: datetime.now(UTC), datetime)
    with run.store.writing() as session:
        upsell.settle(session, run.seal, now)
    found = run.decide("candidates", lambda: _candidates(run, now), list[int])
    for booking_id in found:
        run.start(str(booking_id), upsell_offer.name, {"booking_id": booking_id})
    return {"stays": len(found)}


@job("first-offer", On("booking.changed"), queue=Queue.NOTICES, payload=BookingChanged)
def first_offer(run: RunContext, payload: BookingChanged) -> None:
    """A booking is new or another: its guest may be offered something at once."""
    if payload.status == "confirmed":
        run.start("offer", upsell_offer.name, {"booking_id": payload.booking_id})


@job(
    "upsell-offer",
    queue=Queue.NOTICES,
    payload=StayPayload,
    # What is chosen depends on what was asked for before.
    concurrency_key=lambda payload: str(payload.booking_id),
    optional=True,
)
def upsell_offer(run: RunContext, payload: StayPayload) -> dict[str, Any]:
    """Offer the guest of one stay something, if anything is to be offered."""
    now = run.step("now", lambda: datetime.now(UTC), datetime)
    chosen = run.step(
        "choose", lambda: _choose(run, payload.booking_id, now), Chosen, also=_claim(now)
    )
    if (choice := chosen.choice) is None:
        return {"offered": None}
    command_id = run.command("offer", "QUEUE_UPSELL", upsell.command_of(choice))

    def note(session: Session, result: Any) -> None:
        upsell.note_command(session, choice, command_id)

    run.step("note", lambda: True, bool, also=note)
    return {"offered": choice.kind, "explored": choice.explored}


def _claim(now: datetime) -> Also:
    def claim(session: Session, result: Any) -> None:
        if result.choice is not None:
            upsell.claim(session, result.choice, now)

    return claim


def _candidates(run: RunContext, now: datetime) -> list[int]:
    today = now.astimezone(run.settings.zone).date()
    with run.store.reading() as session:
        return list(upsell.candidates(session, today))


def _choose(run: RunContext, booking_id: int, now: datetime) -> Chosen:
    with run.store.writing() as session:
        upsell.settle(session, run.seal, now)
        return Chosen(choice=upsell.choose(session, booking_id, zone=run.settings.zone, now=now))

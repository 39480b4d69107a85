"""The desk is told of a booking: its guest, the stay, and once a welcome.

Offers follow when the guest has agreed to be written to: `cloud_jobs.jobs.upsell_round` finds them.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import raise_alert
from cloud_jobs.known.reservation import TOLD, Change, ReservationTold
from cloud_jobs.known.telling import Known, in_order, is_cancelled, known, merged, remember
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.store.known import KnownStay

# Who booked longer ago is no newcomer: a mailbox or a Smoobu that Portiere is given has old ones.
WELCOME_WITHIN: Final = timedelta(days=7)
DOUBTFUL: Final = "booking_doubtful"
_STAY: Final = (
    "phone",
    "unit",
    "arrival",
    "departure",
    "party",
    "flight_number",
    "balance",
    "currency",
)


class Telling(Payload):
    """``before`` is what the desk was told until now, ``now`` what it is to know.

    ``at_desk``: it has heard of the booking, from here or otherwise.
    """

    before: ReservationTold | None
    now: ReservationTold
    was_new: bool
    welcomed: bool
    welcome: bool
    at_desk: bool


@job(
    "tell-desk",
    On(TOLD),
    queue=Queue.INTAKE,
    payload=ReservationTold,
    concurrency_key=lambda told: f"{told.channel}:{told.code}",
)
def tell_desk(run: RunContext, told: ReservationTold) -> None:
    """Tell the desk what is new of a booking. What is older than what it knows fills gaps only."""
    telling = run.step("merge", lambda: _merge(run, told), Telling)
    if is_cancelled(telling.now):
        _cancel(run, telling)
    elif _has_news(telling):
        _keep_booking(run, telling)
    if telling.welcome:
        run.command("welcome", "SEND_MESSAGE", _welcome(telling.now))

    def keep(session: Session, _: Any) -> None:
        # One that is there again a person sees to: whether it stands, only they know.
        done = telling.welcomed or telling.welcome or is_cancelled(telling.before)
        held = Known(told=telling.now, was_new=telling.was_new, welcomed=done)
        remember(session, run.seal, held)

    # At the end: a run that fails before it, and is replayed, tells all of it again.
    run.step("remember", lambda: True, bool, also=keep)


def _merge(run: RunContext, told: ReservationTold) -> Telling:
    with run.store.reading() as session:
        held = known(session, run.seal, told.channel, told.code)
        at_desk = held is not None and not is_cancelled(held.told)
        at_desk = at_desk or _is_known_stay(session, told)
    before = held.told if held else None
    now = merged(before, told)
    moment = datetime.now(run.settings.zone)
    is_new = told.change is Change.NEW and moment - told.told_at <= WELCOME_WITHIN
    was_new = is_new or (held is not None and held.was_new)
    welcomed = held is not None and held.welcomed
    due = was_new and not welcomed and not is_cancelled(before)
    return Telling(
        before=before,
        now=now,
        was_new=was_new,
        welcomed=welcomed,
        welcome=due and _may_be_welcomed(now, moment.date()),
        at_desk=at_desk,
    )


def _is_known_stay(session: Session, told: ReservationTold) -> bool:
    query = select(KnownStay.booking_id).where(
        KnownStay.channel == told.channel, KnownStay.code == told.code
    )
    return session.scalar(query) is not None


def _may_be_welcomed(now: ReservationTold, today: date) -> bool:
    """Whom nobody can write to, who has arrived already, or won't come, is not welcomed."""
    if now.phone is None or now.arrival is None or is_cancelled(now):
        return False
    return now.arrival >= today


def _cancel(run: RunContext, telling: Telling) -> None:
    if telling.at_desk and not is_cancelled(telling.before):
        name = {"channel": telling.now.channel, "code": telling.now.code}
        run.command("cancel", "CANCEL_BOOKING", name)


def _has_news(telling: Telling) -> bool:
    if telling.before is None or is_cancelled(telling.before):
        return True
    return any(
        getattr(telling.now, name) != getattr(telling.before, name)
        for name in (*_STAY, "guest_name", "email", "language")
    )


def _keep_booking(run: RunContext, telling: Telling) -> None:
    guest, guest_before = _guest(telling.now), _guest(telling.before)
    if "phone" in guest and guest != guest_before:
        run.command("guest", "CREATE_GUEST", guest)
    run.command("booking", "UPSERT_BOOKING", _booking(telling))
    doubt = _doubt(telling)
    if doubt is None:
        return

    def call(session: Session, _: Any) -> None:
        key = f"{DOUBTFUL}:{telling.now.channel}:{telling.now.code}"
        raise_alert(
            session,
            run.seal,
            run.settings,
            key=key,
            kind=DOUBTFUL,
            text=doubt,
            now=datetime.now(UTC),
        )

    run.step("call", lambda: True, bool, also=call)


def _guest(told: ReservationTold | None) -> dict[str, Any]:
    """The payload of CREATE_GUEST; one who is known already is only filled up."""
    if told is None:
        return {}
    facts = {
        "phone": told.phone,
        "name": told.guest_name,
        "email": told.email,
        "language": told.language,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _booking(telling: Telling) -> dict[str, Any]:
    """The payload of UPSERT_BOOKING. The desk keeps what is left out."""
    now = telling.now
    facts = now.model_dump(mode="json", include={*_STAY}, exclude_none=True)
    if _moved_without_end(telling):
        del facts["arrival"]  # the desk would refuse it beside the old departure
    if not {"balance", "currency"} <= facts.keys():
        facts.pop("balance", None)
        facts.pop("currency", None)
    return {"channel": now.channel, "code": now.code, "status": "confirmed", **facts}


def _moved_without_end(telling: Telling) -> bool:
    now, before = telling.now, telling.before
    if before is None or now.departure is not None:
        return False
    return not in_order(now.arrival, before.departure)


def _doubt(telling: Telling) -> str | None:
    """What a person should look at: what the desk can't take over by itself."""
    name = f"{telling.now.code} of {telling.now.channel}"
    if is_cancelled(telling.before):
        return (
            f"Booking {name} was cancelled and is there again. The desk keeps a cancelled booking "
            "cancelled: enter it anew if the guest comes."
        )
    if _moved_without_end(telling):
        return (
            f"Booking {name} now begins on {telling.now.arrival}, after the departure that was "
            "known, and nobody says when it ends: look it up and enter both."
        )
    return None


def _welcome(told: ReservationTold) -> dict[str, Any]:
    """The desk fills the template in from what it knows of the guest and the booking."""
    return {
        "phone": told.phone,
        "template": {"name": "welcome"},
        "booking": {"channel": told.channel, "code": told.code},
        "dedupe_key": f"welcome:{told.channel}:{told.code}"[:100],
    }

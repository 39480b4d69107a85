"""What Smoobu's webhook brought. It is unsigned and may come twice: nothing here depends on it."""

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy.orm import Session

from cloud_jobs.alerts.raising import raise_alert
from cloud_jobs.jobs.desk_words import alert_desk
from cloud_jobs.jobs.smoobu_booking import smoobu_booking
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.sources import smoobu
from cloud_jobs.sources.http import RefusedError
from cloud_jobs.sources.smoobu_booking import Booking
from cloud_jobs.sources.smoobu_telling import Came

CHANGED: Final = "smoobu.changed"
NEW: Final = "newReservation"
DELETED: Final = "deleteReservation"
# What Smoobu tells of besides is its own: rates, prices, timelines, its check-in.
_RESERVATIONS: Final = frozenset({NEW, "updateReservation", "cancelReservation", DELETED})
_GONE: Final = frozenset({"cancelReservation", DELETED})
MESSAGE: Final = "newMessage"
_UNREADABLE_TEXT: Final = (
    "Smoobu told of a booking in a way that can't be read. Look at Smoobu's newest bookings; "
    "`portiere cloud runs` has what came, under smoobu-changed."
)


class Webhook(Payload):
    """``smoobu.changed``: the body as Smoobu sent it."""

    body: dict[str, JsonValue]


class _Fetched(Payload):
    booking: Booking | None


@job("smoobu-changed", On(CHANGED), queue=Queue.INTAKE, payload=Webhook)
def smoobu_changed(run: RunContext, webhook: Webhook) -> dict[str, Any]:
    """Hand a reservation on; call somebody for a message."""
    action, data = webhook.body.get("action"), webhook.body.get("data")
    if action == MESSAGE:
        return _call_somebody(run, data)
    if not isinstance(action, str) or action not in _RESERVATIONS:
        return {"ignored": True}
    booking = _whole(run, data)
    if booking is None:
        return _not_read(run)
    came = Came(booking=booking, is_new=action == NEW, is_gone=action in _GONE)
    run.start("booking", smoobu_booking.name, came.model_dump(mode="json", by_alias=True))
    return {"bookings": 1}


def _whole(run: RunContext, data: JsonValue) -> Booking | None:
    """The booking; asked for, where the webhook has no more than its number."""
    booking = smoobu.read(data)
    if booking is None or booking.apartment.id is not None:
        return booking
    if not smoobu.is_configured(run.settings):
        return booking
    fetched = run.step("fetch", lambda: _fetch(run, booking.id), _Fetched)
    return fetched.booking or booking


def _fetch(run: RunContext, smoobu_id: int) -> _Fetched:
    with smoobu.opened(run.settings) as service:
        try:
            return _Fetched(booking=smoobu.one(service, smoobu_id))
        except RefusedError as error:
            if error.is_about_key:
                raise
            return _Fetched(booking=None)  # it was deleted


def _call_somebody(run: RunContext, data: JsonValue) -> dict[str, Any]:
    """Once a message, by its number: it may be the guest's, and nobody else would see it."""
    message = data if isinstance(data, dict) else {}
    about = message.get("booking")
    number = about.get("id") if isinstance(about, dict) else None
    if not isinstance(message.get("id"), int) or not isinstance(number, int):
        return {"ignored": True}
    alert_desk(run, "smoobu_message", f"{message['id']}", number=number)
    return {"alerted": True}


def _not_read(run: RunContext) -> dict[str, Any]:
    def write(session: Session, _: bool) -> None:
        raise_alert(
            session,
            run.seal,
            run.settings,
            key=f"smoobu:unreadable:{run.event_id or run.run_id}",
            kind="smoobu_unreadable",
            text=_UNREADABLE_TEXT,
            now=datetime.now(UTC),
        )

    run.step("alert", lambda: True, bool, also=write)
    return {"unreadable": 1}

"""UPSERT_BOOKING and CANCEL_BOOKING."""

from app.commands.office import Done, Office, Order, RefusedError
from app.commands.schemas import CancelBooking, UpsertBooking
from app.guests.booking import Booking, BookingStatus
from app.guests.bookings import merged
from app.store.database import Connection


def upsert_booking(
    office: Office, connection: Connection, order: Order, payload: UpsertBooking
) -> Done:
    """Keep a booking, or what is new of it; a status moves forward only."""
    booking = Booking(**payload.model_dump())
    held = office.bookings.held(connection, booking.channel, booking.code)
    after = booking if held is None else merged(held, booking)
    if after.arrival and after.departure and after.departure <= after.arrival:
        raise RefusedError("dates_contradict", "the departure would not be after the arrival")
    booking_id = office.bookings.upsert(connection, booking, order.client)
    return Done({"booking_id": booking_id, "created": held is None, "status": after.status.value})


def cancel_booking(
    office: Office, connection: Connection, order: Order, payload: CancelBooking
) -> Done:
    """Cancel a booking; one that is cancelled already stays so."""
    held = office.bookings.held(connection, payload.channel, payload.code)
    if held is None or held.booking_id is None:
        raise RefusedError("booking_unknown", "no booking has this channel and code")
    if held.status is BookingStatus.ENDED:
        raise RefusedError("booking_over", "the stay is over")
    cancelled = office.bookings.cancel(connection, held.booking_id, order.client)
    return Done({"booking_id": held.booking_id, "cancelled_now": cancelled})

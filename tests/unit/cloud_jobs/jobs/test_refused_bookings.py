"""A booking that the desk didn't take is heard of by a person, once."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import select

from cloud_jobs.exchange.commands import CommandState, settle
from cloud_jobs.jobs.refused_bookings import refused_bookings
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.known.reservation import Change
from cloud_jobs.store.exchange import Command
from tests.support.bookings_told import story, tell, whole
from tests.support.cloud_layer import Layer


def refuse(cloud: Layer, name: str, code: str) -> None:
    """The desk's answer to the open commands of a name."""
    with cloud.store.writing() as session:
        for command_id in session.scalars(select(Command.command_id).where(Command.name == name)):
            settle(
                session,
                cloud.seal,
                command_id=command_id,
                state=CommandState.FAILED,
                result=None,
                error={"code": code, "detail": "x"},
                now=datetime.now(UTC),
            )


def look(cloud: Layer) -> list[str]:
    cloud.begin(refused_bookings, {})
    cloud.run_all()
    return [text for _, text in cloud.alerts()]


def test_what_the_desk_refused_is_told_once(layer: Callable[..., Layer]) -> None:
    cloud = layer(tell_desk, refused_bookings)
    tell(cloud, whole())
    assert look(cloud) == []
    refuse(cloud, "UPSERT_BOOKING", "dates_contradict")
    refuse(cloud, "SEND_MESSAGE", "template_not_usable")
    booking, welcome = look(cloud)
    assert "UPSERT_BOOKING for the booking booking.com:5592650001: dates_contradict" in booking
    assert "SEND_MESSAGE for the booking booking.com:5592650001: template_not_usable" in welcome
    assert look(cloud) == [booking, welcome]
    assert "Ada" not in booking + welcome


def test_a_cancellation_that_comes_too_late_calls_nobody(layer: Callable[..., Layer]) -> None:
    cloud = layer(tell_desk, refused_bookings)
    tell(cloud, whole(), story(5, Change.CANCELLED))
    refuse(cloud, "CANCEL_BOOKING", "booking_over")
    assert look(cloud) == []

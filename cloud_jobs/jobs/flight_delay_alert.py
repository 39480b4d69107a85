"""A guest's flight comes at another time, or not at all: who comes by it is told, and the desk."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy.orm import Session

from cloud_jobs.agents.predictive import Arrival, effect_of_flight
from cloud_jobs.jobs.desk_words import alert_desk
from cloud_jobs.known import requests, stays
from cloud_jobs.known.flights import CANCELLED, MOVED, FlightMoved, FlightTold
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources import flight_watch

TRANSFER: Final = "transfer"
# From the gate to where a driver waits.
TO_THE_DRIVER: Final = timedelta(minutes=30)


class Coming(Payload):
    """A guest who comes by a flight; the stay is named as the desk has it."""

    guest: str
    channel: str
    code: str
    unit: str | None
    has_transfer: bool

    @property
    def stay(self) -> str:
        """As a person at the desk finds it."""
        return self.unit or f"{self.channel} {self.code}"


class Affected(Payload):
    """All who come by a flight. ``unnamed`` counts stays of guests that the cloud can't name."""

    guests: tuple[Coming, ...] = ()
    unnamed: int = 0


@job("flight-delay-alert", On(MOVED), queue=Queue.NOTICES, payload=FlightMoved)
def flight_delay_alert(run: RunContext, flight: FlightMoved) -> dict[str, Any]:
    """Tell each guest once a change; and the desk, what it has to move or to stay up for."""
    affected = run.decide("affected", lambda: _still_to_tell(run, flight), Affected)
    if affected.unnamed:
        run.log("stays without a guest's index were left out", stays=affected.unnamed)
    # Of a guest with two stays the one that is fetched.
    once = {coming.guest: coming for coming in sorted(affected.guests, key=_is_fetched)}
    for guest, coming in once.items():
        run.command(f"send:{guest}", "SEND_MESSAGE", _news(flight, coming))
    _tell_desk(run, flight, affected.guests)
    return {"guests": len(once), "unnamed": affected.unnamed}


@job("flight-cancelled-alert", On(CANCELLED), queue=Queue.NOTICES, payload=FlightTold)
def flight_cancelled_alert(run: RunContext, flight: FlightTold) -> dict[str, Any]:
    """Have a person ask the guests: what comes of a cancelled flight, no template knows."""
    affected = run.decide("affected", lambda: _affected(run, flight), Affected)
    if affected.guests:
        alert_desk(
            run,
            "flight_cancelled",
            f"{flight.number}:{flight.day}",
            flight=spaced(flight.number),
            day=f"{flight.day:%d/%m}",
            whose=_names(affected.guests),
        )
    return {"guests": len(affected.guests), "unnamed": affected.unnamed}


def _still_to_tell(run: RunContext, flight: FlightMoved) -> Affected:
    """Nobody, if it has moved again or landed since: while notices are paused, news grows old."""
    with run.store.reading() as session:
        stands = flight_watch.find(session, flight.number, flight.day)
        if stands is not None and (stands.landed or stands.told_in != flight.expected_in):
            return Affected()
    return _affected(run, flight)


def _affected(run: RunContext, flight: FlightTold) -> Affected:
    with run.store.reading() as session:
        found = stays.by_flight(session, flight.number, flight.day)
        guests = tuple(
            Coming(
                guest=stay.guest,
                channel=stay.channel,
                code=stay.code,
                unit=stay.unit,
                has_transfer=_has_transfer(session, stay.booking_id),
            )
            for stay in found
            if stay.guest is not None
        )
    return Affected(guests=guests, unnamed=len(found) - len(guests))


def _has_transfer(session: Session, booking_id: int) -> bool:
    return any(
        request.kind == TRANSFER and request.state == "accepted"
        for request in requests.of_booking(session, booking_id)
    )


def _news(flight: FlightMoved, coming: Coming) -> dict[str, Any]:
    """One message: whoever is fetched is told when, and knows of the flight themselves."""
    if coming.has_transfer:
        name = "pickup_changed"
        variables: dict[str, Any] = {"pickup": {"moment": _iso(flight.expected_in + TO_THE_DRIVER)}}
    else:
        is_late = flight.expected_in > flight.scheduled_in
        name = "flight_delay" if is_late else "flight_time"
        variables = {
            "flight": spaced(flight.number),
            "arrival": {"moment": _iso(flight.expected_in)},
        }
    return {
        "guest": coming.guest,
        "template": {"name": name, "variables": variables},
        "dedupe_key": _key(flight),
    }


def _tell_desk(run: RunContext, flight: FlightMoved, guests: Sequence[Coming]) -> None:
    if not guests:
        return
    tell = partial(
        alert_desk,
        run,
        about=_key(flight),
        flight=spaced(flight.number),
        landing=_clock(run.settings, flight.expected_in),
    )
    if fetched := [coming for coming in guests if coming.has_transfer]:
        pickup = _clock(run.settings, flight.expected_in + TO_THE_DRIVER)
        tell("transfer_moved", pickup=pickup, whose=_names(fetched))
    effect = effect_of_flight(
        run.settings,
        day=flight.day,
        scheduled_in=flight.scheduled_in,
        expected_in=flight.expected_in,
    )
    if effect.arrival is Arrival.AFTER_HOURS:
        at_door = _clock(run.settings, effect.at_door)
        tell("arrival_after_hours", whose=_names(guests), at_door=at_door)


def _is_fetched(coming: Coming) -> bool:
    return coming.has_transfer


def _names(guests: Sequence[Coming]) -> str:
    return ", ".join(coming.stay for coming in guests)


def _key(flight: FlightMoved) -> str:
    """One of a change: a flight may come back to a time that it had before, and that is news."""
    return f"flight:{flight.number}:{flight.change}:{flight.expected_in:%Y%m%dT%H%M}"


def spaced(number: str) -> str:
    """``AZ1572`` as guests read it: ``AZ 1572``."""
    carrier = number[:3] if number[:3].isalpha() else number[:2]
    return f"{carrier} {number[len(carrier) :]}"


def _clock(settings: CloudSettings, moment: datetime) -> str:
    return f"{moment.astimezone(settings.zone):%H:%M (%d/%m)}"


def _iso(moment: datetime) -> str:
    return moment.isoformat()

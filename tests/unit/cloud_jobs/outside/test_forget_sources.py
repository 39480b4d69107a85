"""What is old of the services is deleted, what still counts stays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from cloud_jobs.jobs.forget_sources import forget_sources
from cloud_jobs.sources.reading import KEEP_BOOKINGS
from cloud_jobs.store.sources import Flight, ServiceCalls, SmoobuBooking, WeatherWarning
from tests.support.cloud_layer import Layer

NOW = datetime.now(UTC)
TABLES = (Flight, ServiceCalls, SmoobuBooking, WeatherWarning)


def test_what_is_old_goes_and_the_rest_stays(layer: Callable[..., Layer]) -> None:
    cloud = layer(forget_sources, keep_runs=str(30 * 86_400))
    with cloud.store.writing() as session:
        for number, age in enumerate((timedelta(days=29), timedelta(days=32))):
            at = NOW - age
            session.add(Flight(number=f"AZ{number}", day=at.date(), ask_at=None))
            session.add(ServiceCalls(service="openweather", day=at.date(), calls=1))
            session.add(
                WeatherWarning(
                    key=f"{number}",
                    event="wind",
                    level=1,
                    starts_at=at,
                    ends_at=at,
                    first_seen=at,
                    last_seen=at,
                )
            )
            session.add(
                SmoobuBooking(
                    smoobu_id=number,
                    channel="smoobu",
                    code=f"{number}",
                    modified_at="",
                    digest="",
                    told_at=at - KEEP_BOOKINGS + timedelta(days=30),
                )
            )
    cloud.begin(forget_sources, {})
    cloud.run_all()
    (run,) = cloud.runs()
    assert cloud.output(run) == {table.__tablename__: 1 for table in TABLES}
    with cloud.store.reading() as session:
        assert session.scalars(select(Flight.number)).all() == ["AZ0"]
        assert session.scalars(select(SmoobuBooking.code)).all() == ["0"]

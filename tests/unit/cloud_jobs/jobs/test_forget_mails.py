"""What mails told is kept as long as the stay may need it, and some time more."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cloud_jobs.jobs.forget_mails import forget_mails
from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.store.sources import Mail, ReservationMail, ToldBooking
from tests.support import reservation_mails as mails
from tests.support.cloud_layer import Layer
from tests.support.kept_mails import arrive

ARRIVAL = date(2027, 3, 1)
READ_AT = datetime(2026, 11, 27, tzinfo=UTC)
KEEP = timedelta(days=90)


@pytest.fixture
def cloud(layer: Callable[..., Layer]) -> Iterator[Layer]:
    """A reservation, a booking without its days, a fraud and a stranger's mail, all read."""
    made = layer(read_mail, tell_desk, forget_mails, mail_authserv_id=mails.AUTHSERV_ID)
    with time_machine.travel(READ_AT):
        arrive(made, mails.with_a_phone(ARRIVAL))
        for name in ("booking_it_property_instead_of_date", "spoof_unsigned", "stranger"):
            arrive(made, mails.raw(name))
        made.run_all()
        yield made


def counted(cloud: Layer, at: datetime) -> list[int]:
    """Mails, reservations and bookings that are left after the job ran ``at``."""
    with time_machine.travel(at):
        cloud.begin(forget_mails, {})
        cloud.run_all()
    with cloud.store.reading() as session:
        return [
            session.scalars(select(func.count()).select_from(table)).one()
            for table in (Mail, ReservationMail, ToldBooking)
        ]


def test_nothing_is_forgotten_before_its_stay_is_long_over(cloud: Layer) -> None:
    departure = datetime(2027, 3, 4, tzinfo=UTC)
    assert counted(cloud, READ_AT) == [4, 2, 2]
    assert counted(cloud, departure + KEEP) == [1, 2, 2]
    assert counted(cloud, departure + KEEP + timedelta(days=2)) == [1, 1, 1]
    assert counted(cloud, READ_AT + KEEP + timedelta(days=600)) == [1, 0, 0]


def test_what_waits_for_a_person_waits(cloud: Layer) -> None:
    counted(cloud, READ_AT + timedelta(days=2000))
    with cloud.store.reading() as session:
        (left,) = session.scalars(select(Mail)).all()
    assert left.verdict == "person"
    assert left.raw is not None

"""Who is erased on the desk is in nothing that their mails told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.known.erasing import forget
from cloud_jobs.store.known import KnownStay
from cloud_jobs.store.runs import Run, Step
from cloud_jobs.store.sources import Mail, ReservationMail, SmoobuBooking, ToldBooking
from tests.support import reservation_mails as mails
from tests.support.cloud_layer import Layer
from tests.support.kept_mails import arrive

GUEST = "ab" * 32


def test_nothing_that_a_mail_told_of_them_is_left(layer: Callable[..., Layer]) -> None:
    cloud = layer(read_mail, tell_desk, mail_authserv_id=mails.AUTHSERV_ID)
    now = datetime.now(UTC)
    smoobus = mails.expected("smoobu_es_booking_cancelled")
    with cloud.store.writing() as session:
        session.add_all(
            [
                KnownStay(
                    channel="booking.com",
                    code="5592650081",
                    booking_id=1,
                    guest=GUEST,
                    status="confirmed",
                    booked_at=now,
                    told_at=now,
                ),
                SmoobuBooking(
                    smoobu_id=int(smoobus["code"]),
                    channel="booking.com",
                    code="5592650081",
                    modified_at="2026-11-20 10:00:00",
                    digest="d" * 64,
                    told_at=now,
                ),
            ]
        )
    arrive(cloud, mails.raw("smoobu_es_booking_cancelled"))
    arrive(cloud, mails.with_a_phone(now.date() + timedelta(days=9)))
    cloud.run_all()
    with cloud.store.writing() as session:
        forget(session, cloud.seal, GUEST, now)
    with cloud.store.reading() as session:
        for table in (ReservationMail, ToldBooking, Step):
            assert session.scalars(select(table)).all() == []
        assert {mail.raw for mail in session.scalars(select(Mail))} == {None}
        runs = session.scalars(select(Run)).all()
    assert [cloud.payload(run) for run in runs] == [{}] * 4
    assert [event.payload for event in cloud.events("reservation.told")] == [{}] * 2

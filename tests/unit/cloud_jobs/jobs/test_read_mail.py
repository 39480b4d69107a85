"""Each sample mail through the job that reads it: what is told, who is called, what stays."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.smoobu_sync import smoobu_sync
from cloud_jobs.known.mails import raw_of
from cloud_jobs.store.runs import State
from cloud_jobs.store.sources import ReservationMail, SmoobuBooking
from tests.support import reservation_mails as mails
from tests.support.cloud_layer import Layer, NewUrl
from tests.support.kept_mails import RECEIVED_AT, arrive, kept


@pytest.fixture(scope="module")
def _one(new_url: NewUrl) -> Iterator[Layer]:
    made = Layer.make(new_url, [read_mail], mail_authserv_id=mails.AUTHSERV_ID)
    yield made
    made.close()


@pytest.fixture
def cloud(_one: Layer) -> Layer:
    """One layer for all tests, emptied: a store of its own for each takes longer than the test."""
    _one.empty()
    return _one


def told(cloud: Layer) -> list[dict[str, Any]]:
    return [event.payload for event in cloud.events("reservation.told")]


def reservations(cloud: Layer) -> list[ReservationMail]:
    with cloud.store.reading() as session:
        return list(session.scalars(select(ReservationMail)))


@pytest.mark.parametrize("name", mails.names())
def test_a_sample_becomes_what_it_is(name: str, cloud: Layer) -> None:
    digest = arrive(cloud, mails.raw(name))
    cloud.run_all()
    expected, mail = mails.expected(name), kept(cloud, digest)
    (run,) = cloud.runs()
    assert run.state == State.SUCCEEDED
    if expected["result"] == "reservation":
        assert (mail.verdict, mail.raw) == ("reservation", None)
        (one,) = told(cloud)
        wanted = {key: expected.get(key) for key in TOLD}
        if expected["received_at"] is None:  # the mailbox's own date stands in for the mail's
            assert datetime.fromisoformat(one["told_at"]) == RECEIVED_AT
            wanted["arrival"] = "2027-02-23"
        assert {key: one.get(key) for key in TOLD} == wanted
        assert (one["channel"], one["change"]) == (expected["numbered_by"], expected["kind"])
        assert len(reservations(cloud)) == 1
        assert cloud.alerts() == []
        return
    assert told(cloud) == []
    assert reservations(cloud) == []
    assert mail.reason == expected["reason"]
    kinds = [kind for kind, _ in cloud.alerts()]
    if expected["result"] == "for_a_person":
        assert (mail.verdict, raw_of(cloud.seal, mail)) == ("person", mails.raw(name))
        assert kinds == ["mail_for_a_person"]
        return
    assert (mail.verdict, mail.raw) == ("nothing", None)
    assert kinds == (["guest_message"] if expected["reason"] == "guest_message" else [])


TOLD = (
    *("code", "guest_name", "phone", "email", "unit", "arrival", "departure", "party"),
    "language",
)


def test_nothing_of_a_guest_is_in_a_log_or_a_plain_column(
    cloud: Layer, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("scidoo_it_new", "booking_de_guest_message", "booking_en_whole"):
        arrive(cloud, mails.raw(name))
    cloud.run_all()
    with cloud.store.engine.connect() as connection:
        tables = ("mails", "reservation_mails", "run_logs", "runs", "inbound_events", "alerts")
        rows = [connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables]
    said = str(rows) + "".join(capsys.readouterr())
    for private in ("Franca", "+390000000002", "Parkplatz", "guest.booking.com"):
        assert private not in said


def test_a_guests_message_reaches_the_desk_with_its_booking(cloud: Layer) -> None:
    arrive(cloud, mails.raw("booking_de_guest_message"))
    cloud.run_all()
    ((_, text),) = cloud.alerts()
    assert "booking.com about booking 5592650031" in text
    assert "Gibt es einen Parkplatz?" in text


def test_of_one_doubt_one_alert_a_day_calls_however_many_mails_there_are(cloud: Layer) -> None:
    for name in ("spoof_subdomain", "spoof_domain_with_a_tail", "spoof_unsigned"):
        arrive(cloud, mails.raw(name))
    cloud.run_all()
    assert len(cloud.alerts()) == len({"lookalike", "not_authenticated"})


def test_of_a_mail_that_is_too_big_the_header_decides(cloud: Layer) -> None:
    names = ("booking_en_new", "spoof_subdomain", "stranger", "booking_en_verification_code")
    digests = [
        arrive(cloud, mails.raw(name).partition(b"\n\n")[0] + b"\n\n", whole=False)
        for name in names
    ]
    cloud.run_all()
    found = [kept(cloud, digest) for digest in digests]
    assert [(mail.verdict, mail.reason) for mail in found] == [
        ("person", "too_big"),
        ("person", "lookalike"),
        ("nothing", "unknown_sender"),
        ("nothing", "verification_code"),
    ]
    assert [mail.raw is None for mail in found] == [False, False, True, True]
    assert told(cloud) == []


def test_a_mail_that_its_server_can_not_give_is_for_a_person(cloud: Layer) -> None:
    digest = arrive(cloud, b"", whole=False)
    cloud.run_all()
    assert kept(cloud, digest).reason == "unreadable"


def test_all_mails_of_a_booking_are_told_as_one(cloud: Layer) -> None:
    whole = mails.raw("booking_en_whole")
    code = mails.expected("booking_en_whole")["code"]
    thin = mails.raw("booking_en_cancelled").replace(
        mails.expected("booking_en_cancelled")["code"].encode(), code.encode()
    )
    thin = thin.replace(b"Date: Fri, 20 Nov 2026", b"Date: Sun, 22 Nov 2026")
    arrive(cloud, thin)
    cloud.run_all()
    arrive(cloud, whole)
    cloud.run_all()
    first, second = told(cloud)
    assert first.get("guest_name") is None
    assert second["guest_name"] == mails.expected("booking_en_whole")["guest_name"]
    assert second["change"] == "cancelled"


def test_a_booking_of_smoobus_number_is_told_by_the_channels_where_smoobu_knows_it(
    cloud: Layer,
) -> None:
    expected = mails.expected("smoobu_es_booking_cancelled")
    with cloud.store.writing() as session:
        session.add(
            SmoobuBooking(
                smoobu_id=int(expected["code"]),
                channel="booking.com",
                code="5592650099",
                modified_at="2026-11-20 10:00:00",
                digest="d" * 64,
                told_at=datetime.now(UTC),
            )
        )
    arrive(cloud, mails.raw("smoobu_es_booking_cancelled"))
    cloud.run_all()
    (one,) = told(cloud)
    assert (one["channel"], one["code"]) == ("booking.com", "5592650099")


def test_a_booking_that_smoobu_has_numbered_alone_is_asked_for_there(
    layer: Callable[..., Layer],
) -> None:
    cloud = layer(
        read_mail,
        smoobu_sync,
        mail_authserv_id=mails.AUTHSERV_ID,
        smoobu_key="invented",
        smoobu_secret="invented",
    )
    arrive(cloud, mails.raw("smoobu_es_booking_cancelled"))
    (run,) = cloud.runs()
    cloud.runner.execute(run.run_id)
    assert told(cloud) == []
    assert [one.job for one in cloud.runs()] == ["email-reservation", "smoobu-sync"]


def test_a_clock_that_goes_fast_is_not_believed(cloud: Layer) -> None:
    raw = mails.raw("booking_en_whole").replace(
        b"Date: Fri, 20 Nov 2026", b"Date: Fri, 20 Nov 2099"
    )
    arrive(cloud, raw)
    cloud.run_all()
    (one,) = told(cloud)
    assert datetime.fromisoformat(one["told_at"]) < datetime.now(UTC) + timedelta(seconds=1)


def test_a_replay_tells_again_what_a_reservation_said_and_reads_nothing_else(
    cloud: Layer,
) -> None:
    digests = [arrive(cloud, mails.raw(name)) for name in ("booking_en_whole", "stranger")]
    cloud.run_all()
    for digest in [*digests, "0" * 64]:
        cloud.begin(read_mail, {"digest": digest})
    cloud.run_all()
    first, second = told(cloud)
    assert first == second
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}
    assert [kept(cloud, digest).verdict for digest in digests] == ["reservation", "nothing"]

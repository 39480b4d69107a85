"""The rules that hold for all senders, each both ways."""

from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import pytest

from cloud_jobs.mail import people
from cloud_jobs.mail.message import LONGEST_HEADER
from cloud_jobs.mail.reading import read
from cloud_jobs.mail.results import (
    Doubt,
    ForAPerson,
    Kind,
    NotAReservation,
    Nothing,
    Reservation,
    Result,
)
from cloud_jobs.mail.senders import airbnb, booking_com, scidoo, smoobu, vrbo
from cloud_jobs.mail.templates import Subject, matched
from tests.support import reservation_mails as mails

SENDERS = (booking_com, airbnb, vrbo, smoobu, scidoo)
LINES = [(sender, line) for sender in SENDERS for line in sender.SUBJECTS]
PARTS = {
    "{number}": "5592650001",
    "{code}": "HMAAAAAA01",
    "{date}": "15.07.2027",
    "{dates}": "Apr 3 - Apr 6, 2027",
    "{dotted}": "03.09.27 \u2013 07.09.27",
    "{guest}": "Ann-Marie O'Sample (de) \u2013 Prova",
    "{unit}": "Casa: Lumaca 2",
    "{listing}": "4900001",
    "{channel}": "Expedia",
}
NEW = "Booking.com - New booking! (5592650001, Saturday, 10 April 2027)"


def mail(
    subject: str = NEW,
    sender: str = "Booking.com <noreply@booking.com>",
    signer: str = "booking.com",
    body: str = "",
    more: str = "",
) -> Result:
    return read(
        f"Authentication-Results: {mails.AUTHSERV_ID}; dkim=pass header.d={signer}\n"
        f"From: {sender}\nSubject: {subject}\n{more}\n{body}".encode(),
        authserv_id=mails.AUTHSERV_ID,
    )


@pytest.mark.parametrize(
    ("sender", "line"), LINES, ids=[f"{line.language}-{line.pattern}" for _, line in LINES]
)
def test_every_line_of_every_table_is_found(sender: ModuleType, line: Subject) -> None:
    subject = line.pattern
    for part, value in PARTS.items():
        subject = subject.replace(part, value)
    found = matched(sender.SUBJECTS, subject)
    assert found is not None
    assert (found.language, found.kind) == (line.language, line.kind)
    if "{guest}" in line.pattern:
        assert found.part("guest") == PARTS["{guest}"]
    others = [other for other in SENDERS if other is not sender and other.recognises(subject)]
    assert not others


@pytest.mark.parametrize(
    "subject",
    [NEW.replace("!", " !"), NEW.replace("!", ""), NEW.upper(), NEW.replace(" - ", " \u2013 ")],
)
def test_how_a_subject_is_set_makes_no_difference(subject: str) -> None:
    found = mail(subject)
    assert isinstance(found, Reservation)
    assert (found.code, found.kind, found.arrival) == ("5592650001", Kind.NEW, date(2027, 4, 10))


@pytest.mark.parametrize("subject", [f"Re: {NEW}", f"{NEW} tail", "", "Booking.com"])
def test_a_subject_that_is_not_wholly_known_is_for_a_person(subject: str) -> None:
    assert mail(subject) == ForAPerson(Doubt.UNKNOWN_KIND)


@pytest.mark.parametrize(
    ("sender", "signer", "expected"),
    [
        ("noreply@booking.com", "booking.com", Reservation),
        ("NOREPLY@BOOKING.COM", "booking.com", Reservation),
        ("x@booking.com.evil.example", "booking.com.evil.example", ForAPerson),
        ("x@notbooking.com", "notbooking.com", ForAPerson),
        ("x@eu.booking.com", "eu.booking.com", ForAPerson),
        ("noreply@booking.com, x@evil.example", "booking.com", ForAPerson),
        ("noreply@booking.com\nFrom: x@evil.example", "booking.com", ForAPerson),
        ("nobody", "booking.com", ForAPerson),
        ("x@airbnb.com", "airbnb.com", ForAPerson),  # authentic, but not that site's to say
    ],
)
def test_only_the_sites_own_domain_speaks_for_it(
    sender: str, signer: str, expected: type[Result]
) -> None:
    assert isinstance(mail(sender=sender, signer=signer), expected)


def test_a_stranger_is_nothing_and_an_impostor_is_for_a_person() -> None:
    stranger = "Hotel <info@example.invalid>"
    assert mail("Ciao", stranger) == NotAReservation(Nothing.UNKNOWN_SENDER)
    assert mail(NEW, stranger) == ForAPerson(Doubt.LOOKALIKE)
    assert mail("Ciao", "Airbnb <info@example.invalid>") == ForAPerson(Doubt.LOOKALIKE)


@pytest.mark.parametrize("sender", ["noreply@booking.com", "x@evil.example", "x@airbnb.com"])
def test_nothing_is_kept_of_a_verification_code(sender: str) -> None:
    found = mail("Your verification code", sender, body="123456")
    assert found == NotAReservation(Nothing.VERIFICATION_CODE)
    assert found != mail("Your reservation code", sender, body="123456")


@pytest.mark.parametrize("subject", ["You have a new review", "La tua fattura"])
def test_a_notice_is_nothing(subject: str) -> None:
    assert mail(subject) == NotAReservation(Nothing.NOTICE)
    assert mail("Payment failed") == ForAPerson(Doubt.UNKNOWN_KIND)


def test_a_guests_words_are_kept_without_the_sites() -> None:
    sender, signer = "1234567-A.B@mchat.booking.com", "mchat.booking.com"
    body = "##- Reply above -##\nAnn wrote:\nHello\n\nBye\n"
    found = mail("x", sender, signer, body)
    assert found == NotAReservation(Nothing.GUEST_MESSAGE, "booking.com", "1234567", "Hello\nBye")
    whole = mail("x", sender, signer, "Hello\nBye\n")
    assert whole == found
    assert mail("x", sender, "booking.com", body) == ForAPerson(Doubt.NOT_AUTHENTICATED)


def test_the_mailbox_date_counts_only_where_the_mail_has_none() -> None:
    arrived = datetime(2026, 11, 21, tzinfo=UTC)
    dated = read(mails.raw("booking_en_new"), authserv_id=mails.AUTHSERV_ID, received_at=arrived)
    undated = read(
        mails.raw("airbnb_en_no_date_of_its_own"),
        authserv_id=mails.AUTHSERV_ID,
        received_at=arrived,
    )
    assert isinstance(dated, Reservation)
    assert dated.received_at == arrived - timedelta(hours=15)
    assert isinstance(undated, Reservation)
    assert (undated.received_at, undated.arrival) == (arrived, date(2027, 2, 23))


@pytest.mark.parametrize("when", ["yesterday", "Fri, 31 Feb 2026 10:00:00", "1 Jan 1970 00:00 GMT"])
def test_a_date_of_sending_that_cannot_be_is_none(when: str) -> None:
    found = mail(more=f"Date: {when}\n")
    assert isinstance(found, Reservation)
    assert found.received_at is None


def test_a_header_too_long_to_be_read_is_not_read() -> None:
    assert mail("a " * LONGEST_HEADER) == ForAPerson(Doubt.UNKNOWN_KIND)
    assert mail(sender=f"{'a' * LONGEST_HEADER}@booking.com") == ForAPerson(Doubt.UNREADABLE)


def test_an_unknown_charset_is_read_as_utf_8() -> None:
    more = "Content-Type: text/plain; charset=klingon\n"
    found = mail("x", "1234567-A@mchat.booking.com", "mchat.booking.com", "perché", more)
    assert isinstance(found, NotAReservation)
    assert found.text == "perché"


def test_a_guest_is_not_in_what_is_logged_of_a_result() -> None:
    found = mails.reservation("scidoo_it_new")
    message = mails.reading("booking_it_guest_message")
    assert found.guest_name == "Esempio Franca"
    for private in ("Franca", "+39", "guest.booking.com", "arrivare"):
        assert private not in f"{found!r} {message!r}"


@pytest.mark.parametrize(
    ("text", "phone"),
    [("+39 000 0000001", "+390000000001"), ("345 0000000", None), ("", None), (None, None)],
)
def test_a_phone_has_its_country(text: str | None, phone: str | None) -> None:
    assert people.phone(text) == phone


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ann   Sample ", "Ann Sample"),
        ("ann@example.invalid", None),
        ("https://example.invalid", None),
        ("Call 00390000", None),
        ("a" * 101, None),
    ],
)
def test_a_name_is_a_name(text: str, name: str | None) -> None:
    assert people.name(text) == name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Ann.1@Guest.Booking.com", "ann.1@guest.booking.com"),
        ("ann@example", None),
        ("a b@example.invalid", None),
        (None, None),
    ],
)
def test_an_address_is_an_address(text: str | None, address: str | None) -> None:
    assert people.address(text) == address

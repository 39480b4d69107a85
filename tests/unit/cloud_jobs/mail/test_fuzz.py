"""Damaged mails: always one of the three results, never an exception, and soon."""

import re
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloud_jobs.mail.message import MOST_BYTES
from cloud_jobs.mail.reading import read
from cloud_jobs.mail.results import ForAPerson, NotAReservation, Reservation, Result
from tests.support import reservation_mails as mails
from tests.support.damaged_mails import damaged


def sound(result: Result) -> None:
    """What a reservation promises, whatever it was read from."""
    assert isinstance(result, Reservation | NotAReservation | ForAPerson)
    if not isinstance(result, Reservation):
        return
    assert re.fullmatch(r"[A-Z0-9-]{1,20}", result.code)
    assert result.arrival is None or 2000 <= result.arrival.year < 2100
    if result.arrival and result.departure:
        assert result.arrival < result.departure
    assert result.party is None or 1 <= result.party <= 100
    assert result.price is None or (isinstance(result.price, Decimal) and result.price >= 0)
    assert result.received_at is None or result.received_at.tzinfo is not None


@pytest.mark.thorough
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_a_damaged_mail_is_one_of_the_three(raw: bytes) -> None:
    sound(read(raw, authserv_id=mails.AUTHSERV_ID))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
@example(b"")
@example(b"\n")
@example(b"From: \n\n")
@example(b"From: <>\nSubject: =?\n\n")
def test_bytes_that_are_no_mail_are_one_of_the_three(raw: bytes) -> None:
    assert not isinstance(read(raw, authserv_id=mails.AUTHSERV_ID), Reservation)


@pytest.mark.parametrize("name", mails.names())
def test_a_mail_cut_off_anywhere_is_one_of_the_three(name: str) -> None:
    raw = mails.raw(name)
    for end in range(0, len(raw), 97):
        sound(read(raw[:end], authserv_id=mails.AUTHSERV_ID))


HEAD = (
    b"Authentication-Results: mx.desk.invalid; dkim=pass header.d=airbnb.com\n"
    b"From: a@airbnb.com\nDate: Fri, 20 Nov 2026 10:00:00 +0100\n"
    b"Subject: Reservation confirmed - A arrives Feb 23\n"
)
HTML = HEAD + b"Content-Type: text/html; charset=utf-8\n\n"
# Each once took a parser somewhere a time that grows with the square of the mail, or worse.
GREEDY = {
    "deep html": HTML + b"<div>" * 190_000,
    "unclosed comments": HTML + b"<!--" * 240_000,
    "spaces": HEAD + b"\n" + b" " * 950_000,
    "lines": HEAD + b"\n" + b"a\n" * 450_000,
    "labels": HEAD + b"\n" + b"Check-in\n" * 100_000,
    "numbers": HEAD + b"\n" + b"Check-in: " + b"1 " * 470_000,
    "dates": HEAD + b"\n" + b"Check-in: Feb 23 " * 55_000,
    "links": HEAD + b"\n" + b"https://www.airbnb.com/rooms/" * 33_000,
    "headers": b"X: y\n" * 190_000 + HEAD + b"\n",
    "long subject": b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\n\n",
    "long sender": b"From: " + b"(" * 900_000 + b"\n\n",
    "short sender": b"From: " + b"(" * 3_900 + b"a@airbnb.com\n\n",
    "results": b"Authentication-Results: " + b"a=(" * 2_600 + b"\n" + HEAD + b"\n",
    "deep parts": HEAD
    + b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(9)),
    "many parts": HEAD + b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 120_000,
    "encoded words": HEAD.replace(b"- A", b"- " + b"=?utf-8?q?a?=" * 290) + b"\n",
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", GREEDY)
def test_a_mail_made_to_keep_the_reader_busy_is_soon_done(name: str) -> None:
    raw = GREEDY[name][:MOST_BYTES]
    before = time.process_time()
    sound(read(raw, authserv_id=mails.AUTHSERV_ID))
    # Far above what any needs (1 s on a slow machine), far below what a square would take.
    assert time.process_time() - before < 10


def test_a_mail_of_any_size_is_refused_by_its_size_alone() -> None:
    assert isinstance(read(b"a" * (MOST_BYTES + 1), authserv_id=mails.AUTHSERV_ID), ForAPerson)

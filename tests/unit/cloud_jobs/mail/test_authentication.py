"""Who is believed: the server that we trust, on top, about exactly that domain."""

import pytest

from cloud_jobs.mail.authentication import authentic
from cloud_jobs.mail.reading import read
from cloud_jobs.mail.results import Doubt, ForAPerson, Reservation
from tests.support import reservation_mails as mails

US = mails.AUTHSERV_ID
GOOD = f"{US}; dkim=pass header.d=booking.com"


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"{US.upper()}; dkim=pass header.i=@booking.com header.s=bk header.b=Ab/3",
        f"{US} 1; dkim=pass (2048-bit key) header.d=booking.com",
        f"{US}; spf=fail smtp.mailfrom=x@y.invalid; dmarc=pass (p=REJECT) header.from=booking.com",
        f"{US};\r\n dkim=fail header.d=other.invalid;\r\n dkim=pass header.d=Booking.com",
    ],
)
def test_dkim_or_dmarc_of_the_domain_is_enough(header: str) -> None:
    assert authentic(header, "booking.com", US)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        US,
        f"{US}; none",
        f"{US}; dkim=fail header.d=booking.com",
        f"{US}; dkim=pass header.d=evil.example",
        f"{US}; dkim=pass header.d=booking.com.evil.example",
        f"{US}; dkim=pass header.d=mchat.booking.com",
        f"{US}; dkim=pass header.i=@booking.com header.d=evil.example",
        f"{US}; dkim=pass",
        f"{US}; dkim=fail (dkim=pass header.d=booking.com) header.d=booking.com",
        f'{US}; dkim=fail reason="; dkim=pass header.d=booking.com" header.d=booking.com',
        f"{US}; spf=pass smtp.mailfrom=noreply@booking.com",
        f"{US}; dmarc=pass header.from=evil.example",
        f"{US}.evil.example; dkim=pass header.d=booking.com",
        f"evil.example; dkim=pass header.d=booking.com ({US})",
        f"{US}; dkim=pass header.d=(",
        "dkim=pass header.d=booking.com;dmarc=pass header.from=booking.com",
    ],
)
def test_nothing_else_is(header: str | None) -> None:
    assert not authentic(header, "booking.com", US)


def test_without_a_server_to_trust_nobody_is_believed() -> None:
    assert not authentic("; dkim=pass header.d=booking.com", "booking.com", "")
    assert read(mails.raw("booking_en_new"), authserv_id="") == ForAPerson(Doubt.NOT_AUTHENTICATED)


def test_only_the_topmost_header_counts() -> None:
    bad = f"Authentication-Results: {US}; dkim=fail header.d=booking.com\n".encode()
    good = f"Authentication-Results: {GOOD}\n".encode()
    mail = mails.raw("spoof_unsigned")
    assert isinstance(read(good + bad + mail, authserv_id=US), Reservation)
    assert read(bad + good + mail, authserv_id=US) == ForAPerson(Doubt.NOT_AUTHENTICATED)

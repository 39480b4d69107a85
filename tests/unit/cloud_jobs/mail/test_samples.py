"""Every invented mail is read as the file beside it says."""

import pytest

from tests.support import reservation_mails as mails


@pytest.mark.parametrize("name", mails.names())
def test_a_mail_is_read_as_expected(name: str) -> None:
    assert mails.as_json(mails.reading(name)) == mails.expected(name)


def test_every_sender_and_language_has_its_mails() -> None:
    each = [mails.expected(name) for name in mails.names()]
    reservations = [one for one in each if one["result"] == "reservation"]
    assert len(reservations) >= 40
    assert {one["mail_language"] for one in reservations} == {"it", "en", "de", "fr", "es"}
    assert {(one["channel"], one["numbered_by"]) for one in reservations} >= {
        ("booking.com", "booking.com"),
        ("airbnb", "airbnb"),
        ("vrbo", "vrbo"),
        ("expedia", "smoobu"),
        ("smoobu", "smoobu"),
        ("scidoo", "scidoo"),
    }

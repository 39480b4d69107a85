"""Phone numbers, however they were written."""

import pytest

from app.guests.phones import PhoneError, e164, possible_e164


@pytest.mark.parametrize("written", ["+390000000001", "+39 000 000-0001", " +39 (000) 0000001"])
def test_a_number_is_brought_to_one_form(written: str) -> None:
    assert e164(written) == possible_e164(written) == "+390000000001"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("390000000001", "with + and the country"),
        ("", "with + and the country"),
        ("+Anna", "no phone number"),
        ("+99900000001", "no phone number"),
    ],
)
def test_what_is_no_number_is_refused_and_not_repeated(written: str, why: str) -> None:
    with pytest.raises(PhoneError) as caught:
        e164(written)
    assert why in str(caught.value)
    assert not written or written not in str(caught.value)


def test_a_length_no_country_has_is_looked_up_but_not_put_in() -> None:
    assert e164("+39000") == "+39000"
    with pytest.raises(PhoneError, match="digits"):
        possible_e164("+39000")

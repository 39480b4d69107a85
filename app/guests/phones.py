"""Phone numbers, brought to E.164 (``+`` and digits): guests are found by it."""

import phonenumbers


class PhoneError(ValueError):
    """What was given is no phone number; the message says what is wrong, without the number."""


def e164(phone: str) -> str:
    """The number in E.164, however it was spaced. Raises :class:`PhoneError`.

    Lengths are not checked: a guest who writes from a number has it, whether or not the tables of
    `phonenumbers` know of such numbers yet, and can be looked up by it.
    """
    return _format(_parse(phone))


def possible_e164(phone: str) -> str:
    """As :func:`e164`, for what a person typed: a digit too few or too many is refused as well."""
    number = _parse(phone)
    if not phonenumbers.is_possible_number(number):
        raise PhoneError("no phone number of that country has so many digits")
    return _format(number)


def country_of(phone: str) -> str | None:
    """The country (ISO 3166) whose number it is, as far as its first digits tell.

    ``phone`` is in E.164. Where several countries share a prefix and the rest doesn't tell, the
    largest of them.
    """
    number = phonenumbers.parse(phone)
    known = phonenumbers.region_code_for_number(number)
    return known or phonenumbers.region_code_for_country_code(number.country_code or 0)


def _parse(phone: str) -> phonenumbers.PhoneNumber:
    if not phone.lstrip().startswith("+"):
        raise PhoneError("write the phone number with + and the country, like +39 000 0000001")
    try:
        return phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        raise PhoneError("that is no phone number, or no country has its first digits") from None


def _format(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

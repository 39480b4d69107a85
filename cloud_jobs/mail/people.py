"""A guest's name, phone and address, as far as what stands there can be one."""

import re

import phonenumbers

_ADDRESS = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}")
_NO_NAME = re.compile(r"[@<>{}\\]|https?:|\d{4}")


def name(text: str | None) -> str | None:
    """None for what is an address, a link or a number rather than a name."""
    if not text or len(text) > 100 or _NO_NAME.search(text):
        return None
    return " ".join(text.split()) or None


def phone(text: str | None) -> str | None:
    """In E.164; None without a country, since nobody knows which it is."""
    try:
        number = phonenumbers.parse((text or "")[:40])
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def address(text: str | None) -> str | None:
    found = _ADDRESS.fullmatch((text or "").strip())
    return found[0].lower() if found else None

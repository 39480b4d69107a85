"""The phones in providers' events: with or without ``+``, and not always phones."""

from functools import lru_cache

from app.guests import phones


@lru_cache(maxsize=1024)  # a guest writes more than once, and parsing is the dearest step here
def e164(phone: str) -> str | None:
    """The phone in E.164; None if it is no number."""
    try:
        return phones.e164(phone if phone.startswith("+") else f"+{phone}")
    except phones.PhoneError:
        return None

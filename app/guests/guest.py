"""A guest."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo


class Consent(StrEnum):
    """Whether a guest wants to hear from us."""

    UNKNOWN = "unknown"  # they never said: answers and what their stay needs, no offers
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Guest:
    """Who writes. ``phone`` is E.164, ``language`` ISO 639-1; None is what isn't known."""

    phone: str
    name: str | None = None
    email: str | None = None
    language: str | None = None
    time_zone: ZoneInfo | None = None
    consent: Consent = Consent.UNKNOWN
    consent_source: str | None = None
    consent_at: datetime | None = None

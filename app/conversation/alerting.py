"""What the desk is told, in its own language."""

from enum import StrEnum

from app.conversation.language import Language
from app.conversation.phrases import bundled

# Enough to know what it is about; the rest is read where it is answered.
_SHOWN = 300


class Alert(StrEnum):
    """What calls the desk."""

    EMERGENCY = "emergency"
    PERSON_WANTED = "person_wanted"
    REQUEST = "request"
    ACCEPTED = "accepted"
    REMINDER = "reminder"
    TOO_LATE = "too_late"
    EVENTS_PARKED = "events_parked"
    TRANSLATE = "translate"
    COMMAND_DEAD = "command_dead"
    BREAKER_OPEN = "breaker_open"
    BREAKER_CLOSED = "breaker_closed"
    PEER_DOWN = "peer_down"
    PEER_UP = "peer_up"
    LEAD_CHANGED = "lead_changed"
    STANDBY_BEHIND = "standby_behind"
    AUTHORITY_UNREACHABLE = "authority_unreachable"
    HOLDING = "holding"
    SPOOLED_TOO_LONG = "spooled_too_long"
    BACKUP_FAILED = "backup_failed"
    BACKUP_MISSING = "backup_missing"
    DRILL_FAILED = "drill_failed"
    DRILL_MISSING = "drill_missing"
    DISK_LOW = "disk_low"
    DATABASE_DAMAGED = "database_damaged"
    DISK_FAILS = "disk_fails"


def who(name: str | None, phone: str) -> str:
    """A guest, as the desk knows them."""
    return f"{name} ({phone})" if name else phone


def text(alert: Alert, language: Language, **values: str) -> str:
    """The alert's text; ``values`` are those of its phrase, ``said`` is shortened."""
    if (said := values.get("said")) is not None:
        values["said"] = f"{said[:_SHOWN]}…" if len(said) > _SHOWN else said
    return bundled()[language].say(f"alert_{alert}", **values)

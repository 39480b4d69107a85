"""What the agents say, in five languages: `phrases/{it,en,de,fr,es}.yml`.

All five files have the same phrases with the same placeholders. That is checked when they are
loaded, so that a slip in one of them stops the start and never reaches a guest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Final

import yaml

from app.conversation.language import Language

# Phrase → the names of what is filled into it.
_FILLED: Final = {
    "greeting": "name",
    "arrival": "start",
    "arrival_until": "start end",
    "departure": "end",
    "wifi": "network password",
    "wifi_network": "network",
    "parking": "text",
    "breakfast": "start end",
    "breakfast_details": "text",
    "house_rules": "text",
    "directions": "text",
    "address": "address",
    "luggage": "text",
    "amenities": "text",
    "pets": "text",
    "local_tips": "text",
    "transport": "text",
    "flight_delay_until": "end",
    "terms": "price",
    "terms_night": "price",
    "early_checkin_offer": "start terms",
    "late_checkout_offer": "end terms",
    "extra_guest_offer": "terms",
    "transfer_offer": "terms",
    "offer_accepted": "topic",
    "request": "topic",
    "booking_confirmed": "code",
    "booking_requested": "code",
    "booking_arrival": "date",
    "booking_departure": "date",
    "booking_unit": "unit",
    "booking_party": "party",
    "booking_balance": "amount",
    "goodbye": "name",
    "emergency": "number",
    "emergency_address": "address",
    "emergency_desk": "phone",
    "human_phone": "phone",
    "unknown": "topics",
    "as_written": "language text",
    # To the desk, in its own language.
    "alert_emergency": "who said",
    "alert_person_wanted": "who said",
    "alert_request": "who said",
    "alert_accepted": "who said",
    "alert_reminder": "who minutes",
    "alert_too_late": "who",
    "alert_translate": "who spoken said",
    "alert_command_dead": "name reason",
    "alert_breaker_open": "who",
    "alert_breaker_closed": "who",
    "alert_peer_down": "who path",
    "alert_peer_up": "who path",
    "alert_lead_changed": "leader term why lost todo",
    "lead_failover": "other since",
    "lead_failover_unseen": "other",
    "lead_forced": "other",
    "lead_restored": "day at",
    "lead_switchover": "other",
    "lead_in_doubt": "other count",
    "lead_alone": "other count",
    "lead_see_to": "other",
    "lead_see_off": "other",
    "alert_standby_behind": "who since",
    "alert_authority_unreachable": "who since",
    "alert_holding": "who since",
    "alert_spooled_too_long": "who count since",
    "alert_backup_failed": "who since",
    "alert_backup_missing": "who since",
    "alert_drill_failed": "who since",
    "alert_drill_missing": "who since",
    "alert_disk_low": "who since",
    "alert_database_damaged": "who lost",
    "damaged_lost_replica": "day since until",
    "damaged_lost_backup": "day since until",
    "alert_disk_fails": "who since",
}
_PLAIN: Final = (
    *("hello", "thanks", "flight_delay", "complaint", "human", "other", "rest", "media"),
    *("terms_free", "offer_question", "offer_yes", "offer_no", "offer_declined", "offer_gone"),
    *("booking_change", "booking_cancel", "new_booking", "invoice_request", "left_behind"),
    *("booking_paid", "booking_unknown", "arriving", "departing", "feedback"),
    *("emergency_person", "guest_without_name"),
    *("opt_out", "opt_in", "alert_events_parked"),
    *("lead_nothing_lost", "lead_nothing_to_do", "lead_see_bookings"),
    *("lead_restored_unknown", "lead_restored_lost"),
)
_TOPICS: Final = (
    *("wifi", "parking", "breakfast", "directions", "arrival", "departure", "early_checkin"),
    *("late_checkout", "luggage", "amenities", "pets", "local_tips", "transport", "invoice"),
    *("booking_status", "booking_change", "booking_cancel", "new_booking", "extra_guest"),
    "transfer",
)
PLACEHOLDERS: Final[Mapping[str, frozenset[str]]] = {
    **{phrase: frozenset(names.split()) for phrase, names in _FILLED.items()},
    **dict.fromkeys(_PLAIN, frozenset()),
    **{f"topic_{topic}": frozenset() for topic in _TOPICS},
    **{f"language_{language}": frozenset() for language in Language},
}
"""Every phrase the agents use → what is filled into it."""


class PhrasesError(Exception):
    """A phrases file isn't complete; the message says which one and what to do."""


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language."""

    language: Language
    texts: Mapping[str, str]

    def has(self, phrase: str) -> bool:
        """Whether there is such a phrase."""
        return phrase in self.texts

    def say(self, phrase: str, **values: str) -> str:
        """A phrase with its placeholders filled; the values themselves are taken as they are."""
        return self.texts[phrase].format_map(values)


def load(folder: Traversable) -> Mapping[Language, Phrases]:
    """Read and check the five files of a folder.

    :raises PhrasesError: with a line for each phrase missing, unknown, empty, or with other
        placeholders than PLACEHOLDERS has.
    """
    read = {language: _read(folder.joinpath(f"{language}.yml")) for language in Language}
    mistakes = [
        f"{language}.yml: {mistake}"
        for language, texts in read.items()
        for mistake in _mistakes(texts)
    ]
    if mistakes:
        raise PhrasesError("the phrases can't be used:\n" + "\n".join(mistakes))
    return {language: Phrases(language, texts) for language, texts in read.items()}


@cache
def bundled() -> Mapping[Language, Phrases]:
    """The phrases that come with Portiere.

    :raises PhrasesError: see load.
    """
    return load(resources.files(__package__).joinpath("phrases"))


def _read(path: Traversable) -> dict[str, str]:
    try:
        texts = yaml.load(path.read_text("utf-8"), Loader=yaml.CBaseLoader)  # noqa: S506 - builds texts only
    except (OSError, yaml.YAMLError) as error:
        raise PhrasesError(f"{path.name} can't be read: {error}") from None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise PhrasesError(f"{path.name}: write one text for each phrase")
    return texts


def _mistakes(texts: Mapping[str, str]) -> list[str]:
    missing = [f"add {phrase}" for phrase in PLACEHOLDERS if phrase not in texts]
    unknown = [
        f"remove {phrase}, nothing says it" for phrase in texts if phrase not in PLACEHOLDERS
    ]
    wrong = [
        f"{phrase}: {mistake}"
        for phrase, wanted in PLACEHOLDERS.items()
        if phrase in texts and (mistake := _mistake(texts[phrase], wanted))
    ]
    return [*missing, *unknown, *wrong]


def _mistake(text: str, wanted: frozenset[str]) -> str | None:
    if not text.strip():
        return "write a text"
    try:
        # A conversion or a format ("{start!r}", "{start:>5}") is as wrong as another name.
        fields = {
            f"{name}{'!' if conversion else ''}{':' if form else ''}"
            for _, name, form, conversion in Formatter().parse(text)
            if name is not None
        }
    except ValueError as error:
        return str(error)
    if fields == wanted:
        return None
    return f"must have exactly these placeholders: {', '.join(sorted(wanted)) or 'none'}"

"""The calls of the language model: what each was for, what became of it, and what it took."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.store.database import Connection, milliseconds, now_ms


class Purpose(StrEnum):
    """What the model was asked for."""

    INTENT = "intent"
    WORDING = "wording"


class Outcome(StrEnum):
    """What became of its answer. All but USED leave the guest with the offline answer."""

    USED = "used"
    # There was no answer to read.
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # 4xx: the key, the model's name
    FAILED = "failed"  # 5xx
    MALFORMED = "malformed"  # not what the API promises
    TOO_LARGE = "too_large"
    CUT_OFF = "cut_off"  # it ran out of tokens
    # There was one, and it was not taken: an intent.
    UNSURE = "unsure"  # it says `other` as well
    NO_INTENT = "no_intent"
    NOT_ITS_TO_SAY = "not_its_to_say"  # consent
    # There was one, and it was not taken: a wording.
    EMPTY = "empty"
    TOO_LONG = "too_long"
    LANGUAGE = "language"
    FIGURES = "figures"
    NAMES = "names"
    DENIAL = "denial"


@dataclass(frozen=True)
class Call:
    """One call; tokens as the API counted them, 0 where it said nothing."""

    model: str
    purpose: Purpose
    outcome: Outcome
    duration: timedelta
    prompt_tokens: int = 0
    completion_tokens: int = 0


def record(connection: Connection, calls: tuple[Call, ...]) -> None:
    """Keep ``calls`` in the model_calls table."""
    now = now_ms()
    connection.executemany(
        "INSERT INTO model_calls "
        "(at, model, purpose, outcome, prompt_tokens, completion_tokens, duration_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                now,
                call.model,
                call.purpose,
                call.outcome,
                call.prompt_tokens,
                call.completion_tokens,
                milliseconds(call.duration),
            )
            for call in calls
        ],
    )

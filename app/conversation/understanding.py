"""What a message was understood to mean."""

from dataclasses import dataclass

from app.conversation.intent import Intent


@dataclass(frozen=True)
class Guess:
    """One meaning, and how sure it is: a probability, 0 to 1."""

    intent: Intent
    score: float


@dataclass(frozen=True)
class Understanding:
    """One to three guesses, the main one first; more than one for a message that asks several
    things. What isn't understood is a single ``OTHER``."""

    guesses: tuple[Guess, ...]

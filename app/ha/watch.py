"""What a node knows of the soundness of the database that it leads with."""

import threading
from dataclasses import dataclass
from datetime import datetime

from app.ha.looking import Before, Seen


@dataclass
class Watch:
    """When is looked, and what was seen. ``checked``: whether the file that lay here was looked at
    before the doors opened; ``before``: what the place had then. ``mending``: what is wrong, from
    when nobody works with the file any more until another takes its place; ``given_up``: what is
    wrong and isn't mended by itself any more; ``sound_at``: when a look last found nothing (aware).
    Other times are of `app.steady`."""

    checked: bool = False
    before: Before | None = None
    mending: Seen | None = None
    given_up: str | None = None
    due: float = 0
    again_at: float = 0
    thread: threading.Thread | None = None
    seen: Seen | None = None
    error: Exception | None = None
    noted: str | None = None
    sound_at: datetime | None = None

    @property
    def damage(self) -> str | None:
        """What is wrong that is not mended yet, or isn't any more."""
        return self.mending.damage if self.mending else self.given_up

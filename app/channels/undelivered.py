"""That an alert did not reach a channel."""

from datetime import timedelta
from typing import Final

# For each step of talking to a channel's server.
TIMEOUT: Final = timedelta(seconds=15)


class UndeliveredError(Exception):
    """Why, without a secret in it; ``after``: when to try again, ``lasting``: never."""

    def __init__(
        self, reason: str, *, after: timedelta | None = None, lasting: bool = False
    ) -> None:
        super().__init__(reason)
        self.after = after
        self.lasting = lasting

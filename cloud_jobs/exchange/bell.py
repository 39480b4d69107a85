"""Telling another process, as it happens, that there is something for the desk to fetch.

By Redis' publish and subscribe: who isn't listening misses it, and looks by itself now and then.
"""

from typing import Final

import redis
import structlog
from sqlalchemy.orm import Session

from cloud_jobs.exchange.commands import ISSUED
from cloud_jobs.store.database import Store

log = structlog.get_logger()
CHANNEL: Final = "portiere:commands"
# Whoever rings goes on working; Redis is next door.
_PATIENCE_SECONDS: Final = 1


class Bell:
    """Rings after each transaction of a store that issued a command."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
        )

    def attend(self, store: Store) -> None:
        """Ring for what is committed to ``store`` from now on, in this process."""
        store.after_writing(self._written)

    def ring(self) -> None:
        """There is something. While Redis is away nobody hears it."""
        try:
            self._client.publish(CHANNEL, b"")
        except redis.RedisError as error:
            log.warning("bell_unheard", error=type(error).__name__)

    def _written(self, session: Session) -> None:
        if session.info.pop(ISSUED, False):
            self.ring()

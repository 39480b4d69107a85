"""How much one client, or one address, may ask: a moving window in Redis, shared by all processes.

The provider's webhooks are not counted: they are signed, refusing one only makes it come again, and
their way in must not depend on Redis.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from app.web.clients import Admitted
from app.web.problems import ProblemError

WINDOW: Final = timedelta(minutes=1)
# A caller waits meanwhile; Redis is next door and answers in a fraction of a millisecond.
_PATIENCE_SECONDS: Final = 1
_AWAY_SECONDS: Final = 5


@dataclass(frozen=True)
class Quota:
    """What is left of a limit, and in how many seconds there is more."""

    name: str
    limit: int
    window_seconds: int
    remaining: int
    resets_in: int
    exceeded: bool

    @property
    def policy(self) -> str:
        """A member of the field RateLimit-Policy."""
        return f'"{self.name}";q={self.limit};w={self.window_seconds}'

    @property
    def state(self) -> str:
        """A member of the field RateLimit."""
        return f'"{self.name}";r={self.remaining};t={self.resets_in}'


class Limits:
    """Counts in Redis; ``per_window`` for whoever has no limit of a route's own.

    Without ``redis_url`` each process counts for itself: a standby's Redis is a copy of the
    leader's, which nobody else may write.
    """

    def __init__(self, redis_url: str | None, per_window: int, window: timedelta = WINDOW) -> None:
        self._per_window = per_window
        self._window_seconds = int(window.total_seconds())
        self._limiter = MovingWindowRateLimiter(
            MemoryStorage() if redis_url is None else _in_redis(redis_url)
        )

    def hit(self, who: str, name: str = "default", limit: int | None = None) -> Quota:
        """Count one request of ``who``; what is over the limit is not counted.

        Raises ProblemError 503 while Redis is away.
        """
        limit = limit or self._per_window
        item = RateLimitItemPerSecond(limit, self._window_seconds, namespace=name)
        try:
            taken = self._limiter.hit(item, who)
            stats = self._limiter.get_window_stats(item, who)
        except redis.RedisError:
            raise ProblemError(
                503,
                "limits-unavailable",
                "Requests can't be counted while Redis is away; ask again.",
                {"Retry-After": str(_AWAY_SECONDS)},
            ) from None
        resets_in = max(1, math.ceil(stats.reset_time - time.time()))
        return Quota(name, limit, self._window_seconds, stats.remaining, resets_in, not taken)


def _in_redis(url: str) -> RedisStorage:
    return RedisStorage(
        url,
        key_prefix="portiere:limits",
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
    )


def limited(name: str, limit: int) -> Callable[[Request], None]:
    """A dependency, after :func:`app.web.clients.caller`: so many a minute of this route.

    Raises ProblemError 429. The route's count comes on top of the client's own.
    """

    def count(request: Request) -> None:
        admitted: Admitted = request.state.admitted
        limits: Limits = request.state.limits
        quota = limits.hit(f"client:{admitted.caller.name}", name, limit)
        request.state.quotas.append(quota)
        refuse_exceeded(quota)

    return count


def refuse_exceeded(quota: Quota) -> None:
    """Raises ProblemError 429 if the quota is used up."""
    if quota.exceeded:
        raise ProblemError(
            429,
            "too-many-requests",
            f"{quota.limit} in {quota.window_seconds} seconds are allowed; wait {quota.resets_in}.",
            {"Retry-After": str(quota.resets_in)},
        )


def quota_headers(quotas: list[Quota]) -> dict[str, str]:
    """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
    if not quotas:
        return {}
    return {
        "RateLimit-Policy": ", ".join(quota.policy for quota in quotas),
        "RateLimit": ", ".join(quota.state for quota in quotas),
    }

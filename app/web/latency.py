"""Whether a part answers when it is asked, for `/health` and `/ready` on both layers."""

import time
from collections.abc import Callable

from pydantic import BaseModel


class Latency(BaseModel):
    """Whether a part answers, and how long that took."""

    ok: bool
    latency_ms: float | None = None
    error: str | None = None


def timed(ask: Callable[[], object], failure: type[Exception]) -> Latency:
    """Ask a part, which fails by ``failure``; ``error`` is the kind of what went wrong."""
    start = time.perf_counter()
    try:
        ask()
    except failure as error:
        return Latency(ok=False, error=type(error).__name__)
    return Latency(ok=True, latency_ms=round((time.perf_counter() - start) * 1000, 2))

"""The HTTP client behind a breaker: what counts, and that nobody is asked while it is open."""

from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from app.providers.breaker import Breaker, BreakerState, Snapshot, Tolerance
from app.providers.guarded import GuardedTransport, LeftAloneError
from tests.support.processes import free_port
from tests.support.scripted import Answer, scripted

TOLERANCE = Tolerance(
    timedelta(minutes=1), 2, rest=timedelta(hours=1), probe_time=timedelta(seconds=15)
)


def client(url: str, breaker: Breaker) -> httpx.Client:
    return httpx.Client(
        base_url=url, transport=GuardedTransport(httpx.HTTPTransport(), breaker, "cloud")
    )


def test_nobody_there_opens_it_and_then_nobody_is_asked() -> None:
    breaker = Breaker(TOLERANCE)
    asking = client(f"http://127.0.0.1:{free_port()}", breaker)
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            asking.get("/")
    assert breaker.snapshot().state is BreakerState.OPEN
    with pytest.raises(LeftAloneError, match="left alone"):
        asking.get("/")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (500, BreakerState.OPEN),
        (503, BreakerState.OPEN),
        (None, BreakerState.OPEN),
        (429, BreakerState.CLOSED),
        (404, BreakerState.CLOSED),
        (200, BreakerState.CLOSED),
    ],
)
def test_what_counts_as_a_failure(status: int | None, state: BreakerState) -> None:
    breaker = Breaker(TOLERANCE)
    with scripted(lambda _: Answer(status, {})) as cloud:
        asking = client(cloud.url, breaker)
        for _ in range(2):
            with suppress(httpx.TransportError):
                asking.post("/api/events", json={})
    assert breaker.snapshot().state is state


def test_one_good_answer_closes_it() -> None:
    left = Snapshot(BreakerState.OPEN, timedelta(hours=2), "answered 500")
    breaker = Breaker(TOLERANCE, begin=left)
    with scripted(lambda _: Answer(200, {})) as cloud:
        assert client(cloud.url, breaker).post("/api/events", json={}).status_code == 200
    assert breaker.snapshot().state is BreakerState.CLOSED

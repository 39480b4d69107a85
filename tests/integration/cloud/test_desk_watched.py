"""The desk is heard of when it signs a request, or says that it is ready; else it is down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import time_machine
from sqlalchemy import select

from app.signing import TOLERANCE
from cloud_jobs.jobs.monitor_mac_health import monitor_mac_health
from cloud_jobs.store.alerts import Alert, AlertDelivery
from cloud_jobs.store.exchange import Nonce
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer, NewUrl

NOON = datetime(2026, 11, 27, 11, tzinfo=UTC)  # in Rome
MINUTE = timedelta(minutes=1)


@dataclass
class Desk:
    """A desk's gateway, of which only /ready is asked; ``status`` None hangs up."""

    url: str = ""
    status: int | None = 200


@contextmanager
def listening() -> Iterator[Desk]:
    found = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/ready"
            if found.status is None:
                self.close_connection = True
                return
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with listening() as found:
        yield found


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def layer(new_url: NewUrl, desk: Desk) -> Iterator[Layer]:
    made = Layer.make(
        new_url,
        (monitor_mac_health,),
        desk_url=desk.url,
        desk_key="A" * 43 + "=",
        alert_slack_url="http://127.0.0.1:9/services/T/B/x",
        alert_by_desk="all",
    )
    yield made
    made.close()


def look(layer: Layer, clock: time_machine.Traveller, times: int = 1) -> str:
    """The desk's health after so many looks, a minute apart."""
    for _ in range(times):
        clock.shift(MINUTE)
        layer.runner.execute(layer.begin(monitor_mac_health, {}))
    run = layer.runs()[-1]
    assert run.state == State.SUCCEEDED, run.error
    return str((layer.output(run) or {})["health"])


def sign(layer: Layer, nonce: str, ago: timedelta = timedelta(0)) -> None:
    """The desk asks for commands, by a clock that may be slow."""
    with layer.store.writing() as session:
        expires = datetime.now(UTC) - ago + TOLERANCE
        session.add(Nonce(client="mac", nonce=nonce, expires_at=expires))


def told(layer: Layer) -> list[tuple[str, str, str]]:
    with layer.store.reading() as session:
        rows = session.execute(
            select(Alert.key, AlertDelivery.what, AlertDelivery.channel)
            .join(Alert, Alert.seq == AlertDelivery.alert)
            .order_by(AlertDelivery.seq)
        )
        return [(key, what, channel) for key, what, channel in rows]


@pytest.mark.parametrize("status", [503, None])
def test_down_is_told_once_and_urgently_and_then_that_it_is_over(
    layer: Layer, desk: Desk, clock: time_machine.Traveller, status: int | None
) -> None:
    assert look(layer, clock) == "up"
    desk.status = status
    assert look(layer, clock) == "up"
    assert look(layer, clock) == "down"
    assert look(layer, clock, 5) == "down"
    ((kind, text),) = layer.alerts()
    assert kind == "desk_down"
    assert text.startswith("The desk (mac) has not been heard of since 12:01 (27 Nov).")
    desk.status = 200
    assert look(layer, clock) == "down"
    assert look(layer, clock) == "up"
    assert told(layer) == [("desk:down", "raised", "slack"), ("desk:down", "resolved", "slack")]


def test_a_desk_that_signs_is_there_though_it_cant_be_asked(
    layer: Layer, desk: Desk, clock: time_machine.Traveller
) -> None:
    desk.status = None
    for number in range(6):
        sign(layer, f"nonce-{number}", ago=timedelta(minutes=4))  # its clock is slow
        assert look(layer, clock) == "up"
    assert look(layer, clock, 2) == "down"


def test_who_was_never_heard_of_is_not_down(
    layer: Layer, desk: Desk, clock: time_machine.Traveller
) -> None:
    desk.status = None
    assert look(layer, clock, 59) == "unknown"
    assert told(layer) == []
    assert look(layer, clock, 3) == "unknown"
    assert {key for key, *_ in told(layer)} == {"desk:never_seen"}
    desk.status = 200
    assert look(layer, clock) == "up"
    assert layer.alerts() == []


def test_a_run_that_is_done_again_looks_no_second_time(
    layer: Layer, desk: Desk, clock: time_machine.Traveller
) -> None:
    run_id = layer.begin(monitor_mac_health, {})
    for _ in range(2):
        layer.runner.execute(run_id)
    assert len(layer.runs()) == 1

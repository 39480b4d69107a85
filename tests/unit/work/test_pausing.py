"""While answers are paused guests wait, but for one who is in need."""

from app.messages import pausing
from app.messages.pausing import Queue
from app.providers import spoki_events
from app.work.desk import Desk
from app.work.handling import answer_message
from tests.support.events import encode, inbound
from tests.unit.work.conftest import outbox


def receive(desk: Desk, text: str) -> int:
    body = encode(inbound(text))
    statement = desk.inbox.accept(spoki_events.parse(body), body)
    with desk.database.transaction() as connection:
        row_id = statement(connection).row_id
    assert row_id is not None
    return row_id


def states(desk: Desk) -> list[str]:
    return [row["state"] for row in desk.database.all("SELECT state FROM inbox ORDER BY id")]


def test_an_emergency_passes_what_waits_before_it(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        pausing.pause(connection, Queue.ANSWERS, "cli:Anna", "a rehearsal")
        pausing.pause(connection, Queue.SENDS, "cli:Anna", "a rehearsal")
    question = receive(desk, "A che ora è la colazione?")
    emergency = receive(desk, "Aiuto, c'è un incendio in camera!")
    assert answer_message(desk, question).claimed is None
    assert answer_message(desk, emergency).claimed is not None
    assert states(desk) == ["received", "done"]
    assert [row["kind"] for row in outbox(desk)] == ["emergency"]

    with desk.database.transaction() as connection:
        pausing.resume(connection, Queue.ANSWERS)
    assert answer_message(desk, question).claimed is None  # sends are paused still
    assert states(desk) == ["done", "done"]

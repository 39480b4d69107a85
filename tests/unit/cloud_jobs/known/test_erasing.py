"""Who was erased is nowhere, in the open or sealed, and what others have stays."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import LargeBinary, insert, select

from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.known import erasing
from cloud_jobs.known.events import apply
from cloud_jobs.known.reservation import TOLD
from cloud_jobs.runtime.events import Event
from cloud_jobs.runtime.job import Nothing, On, Payload, Queue, RunContext, job
from cloud_jobs.store.base import Base
from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.known import KnownStay
from cloud_jobs.store.runs import State
from cloud_jobs.store.sources import SmoobuBooking
from tests.support import known_rows
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW: Final = datetime.now(UTC)
ADA, BEN = known_rows.index(1), known_rows.index(2)
# Of the sealed columns, whose values are of which rows.
SEALED: Final[dict[str, Callable[[Any], str]]] = {
    "inbound_events.payload": lambda row: row.event_id,
    "runs.payload": lambda row: row.run_id,
    "runs.output": lambda row: row.run_id,
    "steps.output": lambda row: f"{row.run_id}:{row.name}",
    "commands.payload": lambda row: row.command_id,
    "commands.result": lambda row: row.command_id,
}


class Told(Payload):
    """Of any event here."""

    code: str | None = None
    guest_name: str | None = None
    text: str | None = None


@job("hear", On(TOLD, "translation.wanted"), queue=Queue.INTAKE, payload=Told)
def hear(run: RunContext, told: Told) -> dict[str, str]:
    """Remembers, asks and says what it was told."""
    run.step("name", lambda: told.guest_name or told.text or "", str)
    run.command("tell", "SEND_MESSAGE", {"guest": run.guest, "text": told.guest_name or told.text})
    return {"about": told.guest_name or told.text or ""}


@job("round", queue=Queue.REPORTS, payload=Nothing)
def round_(run: RunContext, _: Nothing) -> None:
    """Looks at all guests together."""
    run.step("guests", lambda: [ADA, BEN], list[str])


def everything(layer: Layer) -> str:
    """All that the store has, sealed columns opened."""
    found = []
    with layer.store.reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for column in table.columns:
                    value = getattr(row, column.name)
                    if isinstance(column.type, LargeBinary) and value is not None:
                        name = f"{table.name}.{column.name}"
                        value = layer.seal.open(value, f"{name}:{SEALED[name](row)}")
                    found.append(str(value))
    return "\n".join(found)


def told(layer: Layer, name: str, payload: dict[str, Any], guest: str | None = None) -> None:
    layer.tell(name, payload, guest=guest)
    layer.run_all()


def erase(layer: Layer, guest: str) -> None:
    with layer.store.writing() as session:
        event = Event("erased", erasing.ERASED_EVENT, "mac", NOW, {}, guest)
        apply(session, event, seal=layer.seal, now=NOW)


def filled(layer: Layer) -> None:
    """Two guests with a stay, mails, an event by others and a wish each."""
    with layer.store.writing() as session:
        for number in (1, 2):
            session.add(known_rows.guest(number))
            session.add(known_rows.stay(number, None, None, flight_number=f"AZ{number}"))
            session.add(known_rows.request(number, "transfer", "offered"))
            session.add(known_rows.turn(number, NOW))
            session.execute(
                insert(SmoobuBooking).values(
                    smoobu_id=70 + number,
                    channel="direct",
                    code=f"B-{number}",
                    modified_at="2026-11-20",
                    digest="",
                    told_at=NOW,
                )
            )
    for number, name in ((1, "Ada"), (2, "Ben")):
        booking = {"channel": "direct", "code": f"B-{number}", "guest_name": name}
        told(layer, TOLD, booking)
        told(layer, "smoobu.changed", {"body": {"data": {"id": 70 + number, "guest-name": name}}})
        told(layer, "translation.wanted", {"text": f"Hello {name}"}, known_rows.index(number))
    layer.begin(round_, {})
    layer.run_all()


def test_the_guest_is_nowhere_and_another_is_where_they_were(layer: MakeLayer) -> None:
    made = layer(hear, round_)
    filled(made)
    before = everything(made)
    for personal in (ADA, "Ada", "B-1", "AZ1", "Ben", "B-2"):
        assert personal in before
    erase(made, ADA)
    after = everything(made)
    for personal in (ADA, "Ada", "B-1", "AZ1"):
        assert personal not in after, personal
    for of_ben in ("Ben", "B-2", "AZ2", BEN):
        assert of_ben in after, of_ben


def test_what_was_done_stays_without_who_it_was_for(layer: MakeLayer) -> None:
    made = layer(hear, round_)
    filled(made)
    runs = len(made.runs())
    erase(made, ADA)
    assert len(made.runs()) == runs
    with made.store.reading() as session:
        codes = set(session.scalars(select(KnownStay.code)))
        smoobu = set(session.scalars(select(SmoobuBooking.code)))
        names = session.scalars(select(InboundEvent.name)).all()
    assert codes == {"erased-1", "B-2"}
    assert smoobu == {"erased-71", "B-2"}
    assert len(names) == 6


def test_what_is_under_way_for_them_is_withdrawn(layer: MakeLayer) -> None:
    made = layer(hear, round_)
    filled(made)
    made.tell("translation.wanted", {"text": "Hello Ada"}, guest=ADA)  # its run has not begun
    erase(made, ADA)
    made.run_all()
    assert made.runs(hear)[-1].state == State.CANCELLED
    with made.store.reading() as session:
        open_ones = commands.offered(session, 100)
        closed = session.scalars(
            select(Command.error).where(Command.state == CommandState.FAILED)
        ).all()
    assert {commands.payload_of(made.seal, one)["text"] for one in open_ones} == {
        "Ben",
        "Hello Ben",
    }
    assert closed == [erasing.ERASED] * 2


def test_that_it_happened_is_remembered_by_a_hash(layer: MakeLayer) -> None:
    made = layer()
    erase(made, ADA)
    with made.store.reading() as session:
        found = erasing.erased_at(session, [ADA, BEN])
    assert list(found) == [ADA]
    assert ADA not in everything(made)

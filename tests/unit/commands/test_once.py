"""A command is kept once, carried out once, in order, and reported once."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.commands import messages
from app.commands.registry import COMMANDS, Command, CommandName
from app.commands.running import failed_once_more
from app.commands.store import MAX_ATTEMPTS
from app.commands.unfinished import due_commands
from app.messages import pausing
from app.messages.pausing import Queue
from app.work.desk import Desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import GUEST, OTHER, outbox, said_to_desk

HELLO = {"name": "SEND_MESSAGE", "payload": {"phone": GUEST, "text": "hello"}}
EXAMPLES = Path(__file__).parents[3] / "docs/commands.md"


def test_the_examples_of_the_page_are_done(cloud: Cloud) -> None:
    blocks = re.findall(r"```json\n(.*?)```", EXAMPLES.read_text(), re.DOTALL)
    names = []
    for place, block in enumerate(blocks):
        body = json.loads(block)
        taken = cloud.take_body(body, body.get("id", f"example-{place}"))
        cloud.run(taken.row_id)
        state = cloud.state(taken)
        assert (state.name, state.state) == (body["name"], "done"), state.outcome
        names.append(state.name)
    assert set(names) == set(CommandName)


def test_the_same_by_id_or_by_key_is_one_row(cloud: Cloud, desk: Desk) -> None:
    first = cloud.take_body(HELLO, "a", key="k")
    assert first.is_new
    respelt = {"payload": {"text": "hello", "phone": "+39 000 000 0001"}, "name": "SEND_MESSAGE"}
    by_key = cloud.take_body(respelt, "b", key="k")
    by_id = cloud.take_body(respelt, "a", key="other")
    assert {(one.row_id, one.is_new, one.is_same) for one in (by_key, by_id)} == {
        (first.row_id, False, True)
    }
    other = cloud.take_body({**HELLO, "payload": {"phone": GUEST, "text": "bye"}}, "a", key="k")
    assert not other.is_same
    cloud.run(first.row_id)
    cloud.run(first.row_id)
    assert len(outbox(desk)) == len(cloud.told()) == 1


def test_many_at_once_do_it_once(cloud: Cloud, desk: Desk) -> None:
    taken = cloud.take_body(HELLO, "a")

    def run(_: int) -> None:
        cloud.run(taken.row_id)
        desk.database.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(24)))
    assert len(outbox(desk)) == len(cloud.told()) == 1


def test_a_guest_and_a_booking_keep_their_order_and_others_dont_wait(cloud: Cloud) -> None:
    first = cloud.take("SEND_MESSAGE", phone=GUEST, text="1")
    batch = cloud.take(
        "SEND_BATCH_MESSAGES",
        messages=[{"phone": GUEST, "text": "2"}, {"phone": OTHER, "text": "1"}],
    )
    last = cloud.take("SEND_MESSAGE", phone=OTHER, text="2")
    booking = {"channel": "direct", "code": "A"}
    upsert = cloud.take("UPSERT_BOOKING", **booking, status="confirmed")
    cancel = cloud.take("CANCEL_BOOKING", **booking)

    for too_early in (last, batch, cancel):
        assert cloud.run(too_early.row_id).state is None
    assert cloud.run(first.row_id).commands == (batch.row_id,)
    assert cloud.run(batch.row_id).commands == (last.row_id,)
    assert cloud.run(last.row_id).commands == ()
    assert cloud.run(upsert.row_id).commands == (cancel.row_id,)
    assert cloud.run(cancel.row_id).state == "done"


def test_while_paused_all_wait_but_the_end_of_the_pause(cloud: Cloud, desk: Desk) -> None:
    taken = cloud.take("SEND_MESSAGE", phone=GUEST, text="1")
    with desk.database.transaction() as connection:
        pausing.pause(connection, Queue.COMMANDS, "test", "to see")
    assert cloud.run(taken.row_id).state is None
    make_due(desk)
    assert due_commands(desk.database, desk.delivering.echo_wait) == []
    resume = cloud.take("RESUME", queue="commands")
    make_due(desk)
    assert due_commands(desk.database, desk.delivering.echo_wait) == [resume.row_id]
    assert cloud.run(resume.row_id).state == "done"
    assert due_commands(desk.database, desk.delivering.echo_wait) == [taken.row_id]
    assert cloud.run(taken.row_id).state == "done"


def make_due(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        connection.execute("UPDATE commands SET next_at = 0")


def test_what_fails_leaves_nothing_and_is_given_up_with_an_alert_and_one_report(
    cloud: Cloud, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_after_writing(*given: Any) -> Any:
        messages.send_message(*given)
        raise ZeroDivisionError

    name = CommandName.SEND_MESSAGE
    broken = Command(COMMANDS[name].schema, break_after_writing)
    monkeypatch.setitem(COMMANDS, name, broken)
    taken = cloud.take_body(HELLO, "a")
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with pytest.raises(ZeroDivisionError):
            cloud.run(taken.row_id)
        alive = failed_once_more(desk, desk.commands, taken.row_id, "ZeroDivisionError")
        assert alive is (attempt < MAX_ATTEMPTS)
        row = desk.database.one("SELECT next_at FROM commands")
        assert row is not None
        waits.append(row["next_at"])
    assert waits == sorted(waits)
    assert outbox(desk) == []
    state = cloud.state(taken)
    assert (state.state, state.attempts) == ("dead", MAX_ATTEMPTS)
    (told,) = cloud.told()
    assert told["error"]["code"] == "gave_up"
    (alert,) = said_to_desk(desk)
    assert "SEND_MESSAGE" in alert
    # Dead is an end: nothing runs, nothing is told again.
    assert cloud.run(taken.row_id).state is None
    assert failed_once_more(desk, desk.commands, taken.row_id, "x")


def test_a_done_command_keeps_no_payload(cloud: Cloud, desk: Desk) -> None:
    taken = cloud.take_body(HELLO, "a")
    cloud.run(taken.row_id)
    row = desk.database.one("SELECT sealed_payload FROM commands")
    assert row is not None
    assert desk.seal.open(row["sealed_payload"], "commands.payload:a") == "{}"
    assert desk.database.all("SELECT * FROM command_subjects") == []


def test_what_was_done_long_ago_is_forgotten(cloud: Cloud, desk: Desk) -> None:
    done = cloud.take_body(HELLO, "a")
    cloud.run(done.row_id)
    waiting = cloud.take_body(HELLO, "b")
    with desk.database.transaction() as connection:
        assert desk.commands.purge(connection, timedelta(days=1)) == 0
        assert desk.commands.purge(connection, timedelta(days=-1)) == 1
    assert desk.commands.state_of("a") is None
    assert cloud.state(waiting).state == "received"

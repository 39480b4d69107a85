"""A guest's message answered: what is written, what happens besides, and that both happen once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.guests.guest import Consent
from app.providers import spoki_events
from app.store.database import milliseconds
from app.work.desk import Desk
from app.work.handling import Answered, answer_message
from app.work.turns import ALBUM_GAP
from tests.support.events import encode, inbound
from tests.support.lines import EN, IT, LINES
from tests.unit.work.conftest import GUEST, OTHER, message, outbox, said_to_desk

QUESTION = LINES[IT].breakfast


def receive(desk: Desk, text: str = QUESTION, phone: str = GUEST, **parts: Any) -> int:
    """Keep a guest's message; its row."""
    body = encode(inbound(text, phone, **parts))
    keep = desk.inbox.accept(spoki_events.parse(body), body)
    with desk.database.transaction() as connection:
        row_id = keep(connection).row_id
    assert row_id is not None
    return row_id


def receive_photo(desk: Desk, caption: str = "") -> int:
    return receive(desk, caption, content_type="Image")


def counts(desk: Desk) -> dict[str, int]:
    """How many rows there are of all that an answer brings about."""
    tables = ("outbox", "requests", "alerts", "conversations", "history")
    found = (desk.database.one(f"SELECT count(*) AS n FROM {table}") for table in tables)
    return {table: row["n"] for table, row in zip(tables, found, strict=True) if row}


def inbox_states(desk: Desk) -> list[tuple[str, str | None]]:
    rows = desk.database.all("SELECT state, note FROM inbox ORDER BY id")
    return [(row["state"], row["note"]) for row in rows]


def test_a_message_is_closed_answered_and_its_answer_claimed(desk: Desk) -> None:
    done = answer_message(desk, receive(desk))
    assert done.claimed is not None
    assert done.next_inbox_id is None
    (row,) = outbox(desk)
    assert (row["state"], row["kind"], row["language"]) == ("sending", "reply", "it")
    assert LINES[IT].served in message(desk, row)
    assert inbox_states(desk) == [("done", None)]


@pytest.mark.parametrize(
    "text",
    [QUESTION, LINES[IT].person, LINES[IT].emergency, LINES[IT].stop, LINES[IT].late_checkout],
)
def test_many_workers_on_one_message_do_it_once(desk: Desk, text: str) -> None:
    row_id = receive(desk, text)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: answer_message(desk, row_id), range(8)))
    assert sum(one.claimed is not None for one in answers) == 1
    once = counts(desk)
    assert once["outbox"] == 1
    assert once["alerts"] + once["requests"] <= 1
    assert answer_message(desk, row_id) == Answered()
    assert counts(desk) == once


def test_the_earlier_message_is_answered_first_and_names_the_next(desk: Desk) -> None:
    first, second = receive(desk), receive(desk, "C'è il wifi?")
    assert answer_message(desk, second) == Answered()
    assert answer_message(desk, first).next_inbox_id == second
    assert answer_message(desk, second).claimed is None, "its turn to be sent is after the first"
    assert [row["state"] for row in outbox(desk)] == ["sending", "pending"]


def test_what_fails_leaves_nothing_half_done(desk: Desk) -> None:
    row_id = receive(desk, LINES[IT].emergency)
    before = counts(desk)
    desk.database.connection.executescript(
        "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END;"
    )
    with pytest.raises(Exception, match="full"):
        answer_message(desk, row_id)
    assert (counts(desk), inbox_states(desk)) == (before, [("received", None)])
    desk.database.connection.execute("DROP TRIGGER full")
    assert answer_message(desk, row_id).claimed is not None
    assert counts(desk)["alerts"] == 1


def test_who_is_with_a_person_brings_nothing_about(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        desk.conversations.take(connection, desk.seal.index(GUEST), "Ada")
    before = counts(desk)
    assert answer_message(desk, receive(desk, LINES[IT].late_checkout)) == Answered()
    assert counts(desk)["requests"] == counts(desk)["outbox"] == counts(desk)["alerts"] == 0
    assert counts(desk)["conversations"] == before["conversations"]
    assert inbox_states(desk) == [("done", "the bot is silent here")]


def test_whoever_opted_out_and_writes_is_shown_to_the_desk(desk: Desk) -> None:
    answer_message(desk, receive(desk, LINES[IT].stop))
    known = desk.guests.find(GUEST)
    assert known is not None
    assert known.consent is Consent.WITHDRAWN
    assert outbox(desk)[0]["kind"] == "confirmation"
    answer_message(desk, receive(desk))
    assert len(outbox(desk)) == 1
    (told,) = said_to_desk(desk)
    assert QUESTION in told


def test_each_emergency_calls_the_desk_and_a_wish_for_a_person_once(desk: Desk) -> None:
    for _ in range(2):
        answer_message(desk, receive(desk, LINES[IT].emergency))
        answer_message(desk, receive(desk, LINES[EN].person, OTHER))
        with desk.database.transaction() as connection:
            desk.conversations.give_back(connection, desk.seal.index(OTHER))
    kinds = desk.database.all("SELECT kind, urgent FROM alerts ORDER BY kind, id")
    assert [tuple(row) for row in kinds] == [
        ("emergency", 1),
        ("emergency", 1),
        ("person_wanted", 0),
    ]


def test_an_album_waits_until_it_is_whole(desk: Desk) -> None:
    first, second = receive_photo(desk), receive_photo(desk)
    assert answer_message(desk, first) == answer_message(desk, second) == Answered()
    assert outbox(desk) == []
    make_older(desk, ALBUM_GAP)
    assert answer_message(desk, first).claimed is not None
    assert len(outbox(desk)) == 1
    assert inbox_states(desk) == [("done", None), ("done", "answered with the first of them")]


def make_older(desk: Desk, by: timedelta) -> None:
    """Let all that guests wrote be older."""
    with desk.database.transaction() as connection:
        connection.execute("UPDATE inbox SET received_at = received_at - ?", (milliseconds(by),))


def test_words_end_an_album_and_are_answered_after_it(desk: Desk) -> None:
    first, _, words = receive_photo(desk), receive_photo(desk), receive(desk)
    assert answer_message(desk, first).next_inbox_id == words
    answer_message(desk, words)
    photos, breakfast = (message(desk, row) for row in outbox(desk))
    assert LINES[IT].served in breakfast
    assert LINES[IT].served not in photos


def test_a_photo_with_words_is_no_part_of_an_album(desk: Desk) -> None:
    first, captioned = receive_photo(desk), receive_photo(desk, QUESTION)
    assert answer_message(desk, first).next_inbox_id == captioned
    answer_message(desk, captioned)
    assert LINES[IT].served in message(desk, outbox(desk)[1])

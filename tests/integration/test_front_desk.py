"""Conversations with the whole front desk: gateway, queue, worker, database and Spoki's sandbox."""

import datetime as dt
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Final
from uuid import uuid4

import httpx
import pytest

from app.conversation.language import Language, detect
from app.store.database import Database
from tests.integration.conftest import IMPATIENT
from tests.support.events import inbound
from tests.support.guest import (
    SEAL,
    alerts,
    await_dealt_with,
    heard,
    portiere,
    post,
    sent_keys,
    turn,
)
from tests.support.lines import DE, EN, IT, LINES, Lines
from tests.support.processes import Stack, eventually, stack

HOUR: Final = dt.timedelta(hours=1)
NUMBERS: Final = itertools.count(1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all; each test has a guest of its own."""
    with stack(tmp_path_factory.mktemp("desk"), **IMPATIENT) as found:
        found.start_sandbox()
        found.start_gateway()
        found.start_worker()
        yield found


@pytest.fixture
def phone() -> str:
    """A guest who has never written."""
    return f"+39000{next(NUMBERS):07}"


@pytest.fixture(params=LINES, ids=str)
def language(request: pytest.FixtureRequest) -> Language:
    return Language(request.param)


@pytest.fixture
def lines(language: Language) -> Lines:
    return LINES[language]


def only(texts: list[str]) -> str:
    """The one text of an answer."""
    (text,) = texts
    return text


def test_a_question_goes_on_from_the_last_answer(desk: Stack, phone: str, lines: Lines) -> None:
    assert only(turn(desk, lines.breakfast, phone))
    assert lines.served in only(turn(desk, lines.and_when, phone))


def test_nobody_goes_on_from_an_answer_to_somebody_else(desk: Stack, phone: str) -> None:
    turn(desk, LINES[EN].breakfast, phone)
    other = f"+39000{next(NUMBERS):07}"
    assert LINES[EN].served not in only(turn(desk, LINES[EN].and_when, other))


def test_a_late_check_out_is_offered_at_its_price_and_accepted(
    desk: Stack, phone: str, language: Language, lines: Lines
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    stay = {
        "channel": "direct",
        "code": f"late-{language}",
        "status": "confirmed",
        "phone": phone,
        "arrival": f"{today - dt.timedelta(days=2)}",
        "departure": f"{today + dt.timedelta(days=2)}",
    }
    portiere(desk, "bookings", "put", "--json", "-", lines=[stay])
    assert lines.price in only(turn(desk, lines.late_checkout, phone))
    assert requests(desk, phone) == [("late_checkout", "offered", Decimal(25))]
    assert detect(only(turn(desk, lines.yes, phone)), None) is language
    assert requests(desk, phone) == [("late_checkout", "accepted", Decimal(25))]
    assert lines.yes in alerts(desk, phone)["accepted"]


def requests(desk: Stack, phone: str) -> list[tuple[str, str, Decimal]]:
    """What a guest has asked for: kind, state, price."""
    rows = Database(desk.database).all(
        "SELECT kind, state, price FROM requests WHERE guest = ?", (SEAL.index(phone),)
    )
    return [(row["kind"], row["state"], Decimal(row["price"])) for row in rows]


def test_who_asked_for_a_person_hears_nothing_until_given_back(
    desk: Stack, phone: str, language: Language, lines: Lines
) -> None:
    assert detect(only(turn(desk, lines.person, phone)), None) is language
    assert lines.person in alerts(desk, phone)["person_wanted"]
    assert turn(desk, lines.breakfast, phone) == []
    assert "answers again" in portiere(desk, "desk", "give-back", phone)
    assert lines.served in only(turn(desk, lines.breakfast, phone))


def test_after_stop_nothing_comes_until_start(
    desk: Stack, phone: str, language: Language, lines: Lines
) -> None:
    turn(desk, lines.breakfast, phone)
    stopped = only(turn(desk, lines.stop, phone))
    assert "START" in stopped
    assert detect(stopped, None) is language
    assert turn(desk, lines.breakfast, phone) == []
    assert lines.breakfast in alerts(desk, phone)["person_wanted"]
    assert detect(only(turn(desk, "START", phone)), None) is language
    assert lines.served in only(turn(desk, lines.breakfast, phone))


def test_the_language_changes_midway(
    desk: Stack, phone: str, language: Language, lines: Lines
) -> None:
    other = LINES[DE if language is EN else EN]
    assert lines.served in only(turn(desk, lines.breakfast, phone))
    assert other.served in only(turn(desk, other.breakfast, phone))
    assert other.served in only(turn(desk, other.and_when, phone))


def test_an_emergency_is_answered_while_a_person_is_waited_for(
    desk: Stack, phone: str, language: Language, lines: Lines
) -> None:
    turn(desk, lines.person, phone)
    answer = only(turn(desk, lines.emergency, phone))
    assert "112" in answer
    assert detect(answer, None) is language
    assert lines.emergency in alerts(desk, phone)["emergency"]


def test_an_emergency_is_answered_after_a_person_took_over(desk: Stack, phone: str) -> None:
    portiere(desk, "desk", "take", phone, "--as", "Ada")
    assert turn(desk, LINES[IT].breakfast, phone) == []
    assert "112" in only(turn(desk, LINES[IT].emergency, phone))


def test_a_person_who_writes_in_spokis_inbox_takes_over(desk: Stack, phone: str) -> None:
    turn(desk, LINES[IT].breakfast, phone)
    said = {"phone": phone, "text": "Qui è la reception, eccomi."}
    httpx.post(f"{desk.sandbox_url}/sandbox/desk", json=said).raise_for_status()
    eventually(lambda: phone in portiere(desk, "desk", "waiting"), "the desk holds it")
    assert turn(desk, LINES[IT].breakfast, phone) == []


def test_at_night_an_emergency_is_answered_and_a_late_answer_waits(own: Stack) -> None:
    """Everybody wrote an hour ago, while the worker was away: who asked, sleeps by now."""
    own.worker.env = {**own.env, "PORTIERE_QUIET_FROM": "00:00", "PORTIERE_QUIET_UNTIL": "23:59:59"}
    asking, in_danger = "+390000000001", "+390000000002"
    assert post(own, inbound(LINES[EN].breakfast, asking)).status_code == 200
    assert post(own, inbound(LINES[EN].emergency, in_danger)).status_code == 200
    database = Database(own.database)
    with database.transaction() as connection:
        connection.execute(
            "UPDATE inbox SET received_at = received_at - ?", (HOUR.total_seconds() * 1000,)
        )
    own.start_worker()
    assert "112" in only(eventually(lambda: heard(own, in_danger), "danger is answered"))
    row = eventually(lambda: database.one("SELECT * FROM outbox WHERE rule IS NOT NULL"), "a rule")
    assert (row["guest"], row["state"]) == (SEAL.index(asking), "pending")
    assert row["rule"] == "quiet_hours"
    assert heard(own, asking) == []


def photo(phone: str, caption: str | None = None) -> dict[str, object]:
    """An event with a guest's photo."""
    file = {"content_type": "image/jpeg", "media": f"https://files.example.invalid/{uuid4()}.jpg"}
    return inbound(
        caption or "", phone, text=caption, content_type="Image", mediamessage_set=[file]
    )


def test_ten_photos_at_once_are_one_turn_and_a_text_after_them_another(
    desk: Stack, phone: str
) -> None:
    album = [photo(phone) for _ in range(10)]
    with ThreadPoolExecutor(len(album)) as pool:
        answers = list(pool.map(lambda one: post(desk, one), album))
    assert [answer.status_code for answer in answers] == [200] * len(album)
    after = inbound(LINES[EN].breakfast, phone)
    post(desk, after)
    await_dealt_with(desk, str(after["event_uuid"]))
    about_photos, about_breakfast = heard(desk, phone)
    assert LINES[EN].served in about_breakfast
    assert LINES[EN].served not in about_photos
    keys = sent_keys(desk)
    answered = [one for one in album if keys[f"reply-{message_id(one)}"]]
    assert [keys[f"reply-{message_id(one)}"] for one in answered] == [1]
    assert rows_of(desk, phone) == {"done": 11}


def message_id(event: dict[str, object]) -> str:
    """Spoki's id of the message in an event."""
    data = event["data"]
    assert isinstance(data, dict)
    return str(data["uuid"])


def rows_of(desk: Stack, phone: str) -> dict[str, int]:
    """How many of a guest's messages are in each state."""
    rows = Database(desk.database).all(
        "SELECT state, count(*) AS n FROM inbox WHERE guest = ? GROUP BY state",
        (SEAL.index(phone),),
    )
    return {row["state"]: row["n"] for row in rows}


def test_an_album_that_nothing_follows_is_answered_once(desk: Stack, phone: str) -> None:
    album = {"phone": phone, "count": 10}
    sent = httpx.post(f"{desk.sandbox_url}/sandbox/photos", json=album).raise_for_status().json()
    for one in sent["results"]:
        await_dealt_with(desk, one["event_uuids"][0])
    assert only(heard(desk, phone))


def test_a_photo_with_a_caption_is_answered_as_its_text(
    desk: Stack, phone: str, lines: Lines
) -> None:
    captioned = photo(phone, lines.breakfast)
    post(desk, captioned)
    await_dealt_with(desk, str(captioned["event_uuid"]))
    assert lines.served in only(heard(desk, phone))

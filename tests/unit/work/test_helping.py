"""The language model's part in answering: what is sent, what is metered, when it isn't asked."""

from collections.abc import Iterator

import pytest

from app.conversation.language import Language
from app.messages.outgoing import Kind
from app.store.database import Row
from app.work.desk import Desk
from app.work.handling import answer_message
from tests.support import scripted
from tests.support.lines import EN, IT, LINES
from tests.support.model import KEY, NAME, ModelDouble, model_double
from tests.unit.work.conftest import GUEST, DeskMaker, message, outbox, said_to_desk
from tests.unit.work.test_handling import inbox_states, receive

ODD = "🦩🪁"  # nothing that says what is wanted, to any brain
QUESTION = LINES[EN].breakfast
WORDED = "Gladly! Breakfast is in the veranda, from 7:30 am to 10 am, and it is included for you."


@pytest.fixture
def double() -> Iterator[ModelDouble]:
    with model_double() as found:
        yield found


@pytest.fixture
def desk(make: DeskMaker, double: ModelDouble) -> Desk:
    """A desk with a model to ask."""
    return make(llm_base_url=double.url, llm_model=NAME, llm_api_key=KEY, llm_timeout="5")


def calls(desk: Desk) -> list[tuple[str, str]]:
    """What was metered: purpose and outcome."""
    rows = desk.database.all("SELECT * FROM model_calls ORDER BY id")
    assert all(row["model"] == NAME and row["at"] > 0 and row["duration_ms"] >= 0 for row in rows)
    return [(row["purpose"], row["outcome"]) for row in rows]


def only(desk: Desk) -> Row:
    (row,) = outbox(desk)
    return row


def test_the_models_words_go_out_and_its_tokens_are_metered(
    desk: Desk, double: ModelDouble
) -> None:
    double.wording = lambda _material: WORDED
    answer_message(desk, receive(desk, QUESTION))
    assert WORDED in message(desk, only(desk))
    assert (only(desk)["kind"], only(desk)["language"]) == (Kind.REPLY, "en")
    (row,) = desk.database.all("SELECT * FROM model_calls")
    assert (row["purpose"], row["outcome"]) == ("wording", "used")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (120, 12)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (WORDED.replace("included for you", "€14"), "figures"),
        (WORDED.replace("10 am", "11 am"), "figures"),
        (WORDED + " The door's code is 2580.", "figures"),
        ("Con piacere! La colazione è nella veranda: 7:30 am, 10 am, ed è inclusa.", "language"),
        (scripted.Answer(500), "failed"),
        (scripted.Answer(200, b'{"choices": '), "malformed"),
        (scripted.Answer(200, b"y" * 1_000_000), "too_large"),
        (scripted.Answer(None), "unreachable"),
    ],
)
def test_a_bad_answer_of_the_model_leaves_our_own(
    desk: Desk, double: ModelDouble, answer: str | scripted.Answer, outcome: str
) -> None:
    double.wording = lambda _material: answer
    assert answer_message(desk, receive(desk, QUESTION)).claimed is not None
    assert LINES[EN].served in message(desk, only(desk))
    assert calls(desk) == [("wording", outcome)]
    assert inbox_states(desk) == [("done", None)]


@pytest.mark.thorough
def test_a_timeout_leaves_our_own(make: DeskMaker, double: ModelDouble) -> None:
    double.slow = 3
    desk = make(llm_base_url=double.url, llm_model=NAME, llm_api_key=KEY, llm_timeout="0.2")
    answer_message(desk, receive(desk, QUESTION))
    assert LINES[EN].served in message(desk, only(desk))
    assert calls(desk) == [("wording", "timeout")]


def test_what_the_brain_is_unsure_of_is_asked(desk: Desk, double: ModelDouble) -> None:
    double.intent = lambda _material: "breakfast"
    answer_message(desk, receive(desk, ODD))
    assert calls(desk)[0] == ("intent", "used")
    assert said_to_desk(desk) == [], "nobody needs to be called"
    assert "7:30" in message(desk, only(desk))


def test_danger_that_only_the_model_sees_is_answered_and_called_out(
    desk: Desk, double: ModelDouble
) -> None:
    double.intent = lambda _material: "emergency"
    answer_message(desk, receive(desk, ODD))
    assert only(desk)["kind"] == Kind.EMERGENCY
    (told,) = said_to_desk(desk)
    assert ODD in told


@pytest.mark.parametrize("language", LINES, ids=str)
@pytest.mark.parametrize("line", ["emergency", "stop", "person", "late_checkout"])
def test_it_is_never_asked_about_what_binds(
    desk: Desk, double: ModelDouble, language: Language, line: str
) -> None:
    answer_message(desk, receive(desk, getattr(LINES[language], line)))
    assert (double.asked, calls(desk)) == ([], [])


@pytest.mark.parametrize("text", [ODD, QUESTION])
def test_it_is_never_asked_while_a_person_holds_the_conversation(
    desk: Desk, double: ModelDouble, text: str
) -> None:
    with desk.database.transaction() as connection:
        desk.conversations.take(connection, desk.seal.index(GUEST), "Ada")
    answer_message(desk, receive(desk, text))
    assert (outbox(desk), double.asked) == ([], [])


@pytest.mark.parametrize("text", [ODD, QUESTION])
def test_it_is_never_asked_for_who_opted_out(desk: Desk, double: ModelDouble, text: str) -> None:
    answer_message(desk, receive(desk, LINES[IT].stop))
    answer_message(desk, receive(desk, text))
    assert (len(outbox(desk)), double.asked) == (1, [])


def test_neither_phone_nor_name_leaves(desk: Desk, double: ModelDouble) -> None:
    name = {"first_name": "Zenobia", "last_name": "Quarzolini"}
    body = f"{QUESTION} I am Zenobia, {GUEST}."
    answer_message(desk, receive(desk, body, contact={"phone": GUEST, **name}))
    assert double.asked
    sent = repr(double.asked)
    for trace in ("Zenobia", "Quarzolini", GUEST, GUEST[1:], GUEST[-9:]):
        assert trace not in sent


def test_no_transaction_is_open_meanwhile(desk: Desk, double: ModelDouble) -> None:
    written: list[int] = []

    def write_meanwhile(material: dict[str, str]) -> str:
        # Another process's: it would wait for a transaction of ours, and fail.
        with desk.database.transaction() as connection:
            connection.execute("UPDATE inbox SET attempts = attempts")
        written.append(1)
        return material["answer"]

    double.wording = write_meanwhile
    answer_message(desk, receive(desk, QUESTION))
    assert written == [1]
    assert calls(desk) == [("wording", "used")]


def test_the_row_is_left_to_this_worker_while_the_model_is_asked(
    desk: Desk, double: ModelDouble
) -> None:
    row_id = receive(desk, QUESTION)
    seen: list[bool] = []

    def look(material: dict[str, str]) -> str:
        row = desk.database.one(
            "SELECT next_at > :now + 5000 AS later FROM inbox WHERE id = :id",
            {"id": row_id, "now": _now(desk)},
        )
        assert row
        seen.append(bool(row["later"]))
        return material["answer"]

    double.wording = look
    answer_message(desk, row_id)
    assert seen == [True]


def _now(desk: Desk) -> int:
    row = desk.database.one("SELECT received_at FROM inbox ORDER BY id DESC")
    assert row
    return int(row["received_at"])


def test_a_person_who_takes_over_meanwhile_has_the_last_word(
    desk: Desk, double: ModelDouble
) -> None:
    def take_over(_material: dict[str, str]) -> str:
        with desk.database.transaction() as connection:
            desk.conversations.take(connection, desk.seal.index(GUEST), "Ada")
        return WORDED

    double.wording = take_over
    assert answer_message(desk, receive(desk, QUESTION)).claimed is None
    assert only(desk)["rule"] == "taken_over"


def test_without_a_model_nothing_is_metered(make: DeskMaker) -> None:
    desk = make()
    assert desk.model is None
    answer_message(desk, receive(desk, ODD))
    assert calls(desk) == []

"""Whatever a command's schema allows is done or refused: no handler fails on it."""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.commands.registry import COMMANDS, CommandName
from app.commands.schemas import About, SendMessage
from app.conversation.language import Language
from app.work.desk import make_desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import KEY
from tests.unit.work.conftest import settings as desk_settings

# Few, so that commands meet the guests, bookings, offers and pauses of others.
INDEX = hmac.digest(b"k" * 32, b"+390000000001", "sha256").hex()  # of the first of these
PHONES = st.sampled_from(["+390000000001", "+39 000 0000002", "+49 000 0000003"])
TEXTS = st.sampled_from(["Buongiorno a tutti, la colazione è pronta.", "{x} %s", "👋", "\u202e a"])
DATES = st.dates().map(str)
TIMES = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
VALUES = st.one_of(
    TEXTS,
    st.fixed_dictionaries({"date": DATES}),
    st.fixed_dictionaries({"moment": TIMES}),
    st.fixed_dictionaries({"money": st.just("12.50"), "currency": st.sampled_from(["EUR", "JPY"])}),
    st.fixed_dictionaries({"by_language": st.just(dict.fromkeys(Language, "a"))}),
)
VARIABLES = st.dictionaries(
    st.sampled_from(["guest", "arrival", "start", "how", "offer", "price", "property"]), VALUES
)
# Whom it is about: by the phone, or by an index that is somebody's or nobody's.
INDICES = st.sampled_from([INDEX, "0" * 64])
ABOUT = st.fixed_dictionaries({"phone": PHONES}) | st.fixed_dictionaries({"guest": INDICES})
TEMPLATES = st.fixed_dictionaries(
    {"name": st.sampled_from(["welcome", "arrival_instructions", "upsell_offer", "nothing"])},
    optional={"variables": VARIABLES},
)
BOOKINGS = {"channel": st.just("direct"), "code": st.sampled_from(["A", "B"])}
CONSENTS = st.fixed_dictionaries(
    {"state": st.sampled_from(["given", "withdrawn"]), "source": TEXTS, "at": TIMES}
)
MESSAGE = {"dedupe_key": st.just("once"), "not_before": TIMES}
SAID = st.fixed_dictionaries({"text": TEXTS}) | st.fixed_dictionaries({"template": TEMPLATES})
MESSAGES = st.tuples(ABOUT, SAID).map(lambda parts: parts[0] | parts[1])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **MESSAGE,
    **BOOKINGS,
    "phone": PHONES,
    "text": TEXTS,
    "template": TEMPLATES,
    "messages": st.lists(MESSAGES, min_size=1, max_size=4),
    "name": TEXTS,
    "email": st.just("ada@example.invalid"),
    "language": st.sampled_from(["it", "en", "pt", "xx"]),
    "time_zone": st.sampled_from(["Europe/Rome", "Pacific/Auckland"]),
    "consent": CONSENTS,
    "status": st.sampled_from(["requested", "confirmed"]),
    "unit": TEXTS,
    "arrival": DATES,
    "departure": DATES,
    "party": st.integers(1, 99),
    "flight_number": st.just("AZ 1572"),
    "balance": st.decimals(0, 99999, places=2).map(str),
    "currency": st.sampled_from(["EUR", "JPY"]),
    "kind": st.sampled_from(["early_checkin", "late_checkout", "extra_guest", "transfer"]),
    "booking": st.fixed_dictionaries(BOOKINGS),
    "queue": st.sampled_from(["answers", "sends", "notices", "commands", "events"]),
    "reason": TEXTS,
    "key": st.sampled_from(["a", "b"]),
    "urgent": st.booleans(),
    "channels": st.lists(st.sampled_from(["whatsapp", "slack", "email"])),
}


def payloads(name: CommandName) -> st.SearchStrategy[Any]:
    schema = COMMANDS[name].schema
    apart: dict[str, st.SearchStrategy[Any]] = {}
    if issubclass(schema, About):
        apart |= {"guest": ABOUT, "phone": ABOUT}
    if issubclass(schema, SendMessage):
        apart |= {"text": SAID, "template": SAID}
    fields = {key: field for key, field in schema.model_fields.items() if key not in apart}
    needed = {key: FIELDS[key] for key, field in fields.items() if field.is_required()}
    others = {key: FIELDS[key] for key, field in fields.items() if not field.is_required()}
    rest = st.fixed_dictionaries(needed, optional=others)
    return st.tuples(rest, *set(apart.values())).map(
        lambda parts: {key: value for part in parts for key, value in part.items()}
    )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("any")
    desk = make_desk(desk_settings(directory, cloud_url="http://127.0.0.1:9", cloud_key=KEY))
    yield Cloud(desk)
    desk.database.close()


@pytest.mark.parametrize("name", CommandName)
def test_what_a_schema_allows_is_done_or_refused(name: CommandName, cloud: Cloud) -> None:
    reached = 0

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(payload=payloads(name))
    def ask(payload: Any) -> None:
        nonlocal reached
        try:
            taken = cloud.take(name, **payload)
        except ValidationError:
            return  # two fields that belong together, or contradict each other
        cloud.run(taken.row_id)
        if cloud.state(taken).state == "received":  # an earlier example paused the commands
            cloud.run(cloud.take(CommandName.RESUME, queue="commands").row_id)
            cloud.run(taken.row_id)
        state = cloud.state(taken)
        assert state.state in {"done", "failed"}
        assert [told["id"] for told in cloud.told()].count(taken.command_id) == 1
        reached += 1

    ask()
    # It must not pass because nothing gets as far as its handler.
    assert reached

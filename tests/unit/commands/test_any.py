"""Whatever a command's schema allows is done or refused: no handler fails on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.commands.registry import COMMANDS, CommandName
from app.work.desk import make_desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import KEY
from tests.unit.work.conftest import settings as desk_settings

# Few, so that commands meet the guests, bookings, offers and pauses of others.
PHONES = st.sampled_from(["+390000000001", "+39 000 0000002", "+49 000 0000003"])
TEXTS = st.sampled_from(["Buongiorno a tutti, la colazione è pronta.", "{x} %s", "👋", "\u202e a"])
DATES = st.dates().map(str)
TIMES = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
VARIABLES = st.dictionaries(
    st.sampled_from(["guest", "arrival", "start", "how", "offer", "price", "property"]), TEXTS
)
TEMPLATES = st.fixed_dictionaries(
    {"name": st.sampled_from(["welcome", "arrival_instructions", "upsell_offer", "nothing"])},
    optional={"variables": VARIABLES},
)
BOOKINGS = {"channel": st.just("direct"), "code": st.sampled_from(["A", "B"])}
CONSENTS = st.fixed_dictionaries(
    {"state": st.sampled_from(["given", "withdrawn"]), "source": TEXTS, "at": TIMES}
)
MESSAGE = {"phone": PHONES, "dedupe_key": st.just("once"), "not_before": TIMES}
MESSAGES = st.fixed_dictionaries({"phone": PHONES, "text": TEXTS}) | st.fixed_dictionaries(
    {"phone": PHONES, "template": TEMPLATES}
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **MESSAGE,
    **BOOKINGS,
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
}


def payloads(name: CommandName) -> st.SearchStrategy[Any]:
    fields = COMMANDS[name].schema.model_fields
    needed = {key: FIELDS[key] for key, field in fields.items() if field.is_required()}
    others = {key: FIELDS[key] for key, field in fields.items() if not field.is_required()}
    return st.fixed_dictionaries(needed, optional=others)


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

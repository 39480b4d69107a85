"""What is offered, to whom, and what isn't; a season at random is in tests/integration/cloud."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import time_machine
from sqlalchemy import update

from cloud_jobs.agents.upsell import choose
from cloud_jobs.agents.wanting import Kind
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.jobs.upsell_round import first_offer, upsell_offer, upsell_round
from cloud_jobs.store.agents import Upsell
from cloud_jobs.store.known import KnownRequest
from tests.support import known_rows as rows
from tests.support.offering_desk import OfferingDesk, keep
from tests.unit.cloud_jobs.conftest import MakeLayer

JOBS: Final = (upsell_round, first_offer, upsell_offer)
MORNING: Final = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
SOON: Final = MORNING.date() + timedelta(days=9)
DAY: Final = timedelta(days=1)


@pytest.fixture
def december() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.mark.thorough
def test_the_likeliest_is_offered_then_the_next_and_no_more_after_two_declines(
    layer: MakeLayer, december: time_machine.Traveller
) -> None:
    cloud = layer(*JOBS)
    desk = OfferingDesk(cloud)
    keep(cloud, rows.guest(1), rows.stay(1, SOON, SOON + 4 * DAY, flight_number="AZ1572"))
    for day in range(8):
        december.move_to(MORNING + day * DAY)
        cloud.begin(upsell_round, {})
        cloud.run_all()
        desk.work(MORNING + day * DAY)
        with cloud.store.writing() as session:
            session.execute(update(KnownRequest).values(state="declined"))
    assert [kind for *_, kind in desk.made] == [Kind.TRANSFER, Kind.EARLY_CHECKIN]
    assert not desk.refused


@pytest.mark.thorough
def test_a_kind_without_a_price_is_not_asked_for_again_for_a_week(
    layer: MakeLayer, december: time_machine.Traveller
) -> None:
    """By no stay at all; what else there is, is offered meanwhile."""
    cloud = layer(*JOBS)
    refuse = {"code": "not_offered", "detail": ""}
    stays = [rows.stay(n, SOON, SOON + 4 * DAY, flight_number="AZ1572") for n in (1, 2)]
    keep(cloud, rows.guest(1), rows.guest(2), stays[0])
    asked = []
    for day in range(9):
        now = MORNING + day * DAY
        december.move_to(now)
        cloud.begin(upsell_round, {})
        cloud.run_all()
        with cloud.store.writing() as session:
            for command in commands.offered(session, 10):
                payload = commands.payload_of(cloud.seal, command)
                asked.append((day, payload["guest"][-1], payload["kind"]))
                commands.settle(
                    session,
                    cloud.seal,
                    command_id=command.command_id,
                    state=CommandState.FAILED,
                    result=None,
                    error=refuse,
                    now=now,
                )
        if day == 2:
            keep(cloud, stays[1])
    # After the week the two stays are asked for in one round: the answer isn't there between them.
    days = {kind: [day for day, _, one in asked if one == kind] for kind in Kind}
    assert days[Kind.TRANSFER] == [0, 7, 7]
    assert days[Kind.EARLY_CHECKIN] == [1, 8, 8]
    assert days[Kind.LATE_CHECKOUT] == [2]


@pytest.mark.parametrize(
    "differing",
    [
        {"status": "cancelled"},
        {"status": "requested"},
        {"guest": None},
        {"arrival": None},
        {"arrival": MORNING.date() + timedelta(days=31), "departure": SOON + 90 * DAY},
        {"arrival": SOON - 20 * DAY, "departure": MORNING.date()},
    ],
)
def test_who_does_not_come_soon_is_offered_nothing(
    layer: MakeLayer, december: time_machine.Traveller, differing: dict[str, Any]
) -> None:
    cloud = layer(*JOBS)
    dates = {"arrival": SOON, "departure": SOON + 4 * DAY} | differing
    keep(cloud, rows.guest(1), rows.stay(1, **dates))
    cloud.tell("booking.changed", {"booking_id": 1, "status": "confirmed"})
    cloud.begin(upsell_round, {})
    cloud.run_all()
    assert cloud.commands() == []


@pytest.mark.thorough
def test_one_stay_in_ten_is_offered_what_is_known_least(layer: MakeLayer) -> None:
    cloud = layer(*JOBS)
    with cloud.store.reading() as session:
        for number in range(1, 201):
            session.add_all([rows.guest(number), rows.stay(number, SOON, SOON + 4 * DAY)])
        session.flush()
        zone = cloud.settings.zone
        chosen = [choose(session, n, zone=zone, now=MORNING) for n in range(1, 201)]
    assert 10 <= len([one for one in chosen if one and one.explored]) <= 35
    likeliest = {one.kind for one in chosen if one and not one.explored}
    assert likeliest == {Kind.LATE_CHECKOUT}
    # Nothing was decided yet, so all are known as little: the first by name.
    assert {one.kind for one in chosen if one and one.explored} == {Kind.EARLY_CHECKIN}


def test_an_offer_whose_run_gave_up_before_it_was_asked_for_blocks_nobody_for_ever(
    layer: MakeLayer, december: time_machine.Traveller
) -> None:
    cloud = layer(*JOBS)
    keep(
        cloud,
        rows.guest(1),
        rows.stay(1, SOON, SOON + 4 * DAY),
        Upsell(booking_id=1, kind="transfer", state="asked", asked_at=MORNING - 2 * DAY),
    )
    cloud.begin(upsell_round, {})
    cloud.run_all()
    assert [payload["kind"] for _, payload in cloud.commands()] == [Kind.LATE_CHECKOUT]

"""Templates that reached a phone cost by purpose and country; each is counted once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from sqlalchemy import func, select

from cloud_jobs.jobs import message_costs as module
from cloud_jobs.jobs.message_costs import message_costs
from cloud_jobs.store.known import KnownMessage
from cloud_jobs.store.money import Metered
from cloud_jobs.store.runs import State
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer
from tests.unit.cloud_jobs.costs.conftest import NOON, Priced


def told(layer: Layer, *messages: dict[str, Any]) -> None:
    usual = {
        "kind": "notice",
        "sent_as": "template",
        "language": "it",
        "purpose": "service",
        "country": "IT",
        "state": "delivered",
        "told_at": NOON,
    }
    with layer.store.writing() as session:
        session.add_all(KnownMessage(**usual | given) for given in messages)


def count(layer: Layer) -> State:
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        layer.runner.execute(layer.begin(message_costs, {}))
    return State(layer.runs(message_costs)[-1].state)


def test_what_reached_a_phone_as_a_template_costs(priced: Priced) -> None:
    layer = priced(message_costs)
    told(
        layer,
        {"outbox_id": 1},
        {"outbox_id": 2, "purpose": "marketing", "state": "read"},
        {"outbox_id": 3, "country": "NZ"},
        {"outbox_id": 4, "country": None, "purpose": None},
        {"outbox_id": 5, "sent_as": "text"},
        {"outbox_id": 6, "state": "sent"},
        {"outbox_id": 7, "state": "failed"},
    )
    assert count(layer) == count(layer) == State.SUCCEEDED
    assert layer.meters() == [
        ("whatsapp.service.IT", 1),
        ("whatsapp.marketing.IT", 1),
        ("whatsapp.service.NZ", 1),
        ("whatsapp.service.other", 1),
    ]
    assert [run.cost for run in layer.runs()] == [Decimal("0.12"), Decimal(0)]


def test_what_arrives_later_is_counted_then(priced: Priced) -> None:
    layer = priced(message_costs)
    told(layer, {"outbox_id": 1, "state": "sent"})
    count(layer)
    with layer.store.writing() as session:
        message = session.get(KnownMessage, 1)
        assert message is not None
        message.state = "delivered"
    count(layer)
    assert layer.meters() == [("whatsapp.service.IT", 1)]


def test_more_than_fit_in_one_transaction_are_all_counted(priced: Priced, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    layer = priced(message_costs)
    told(layer, *({"outbox_id": number} for number in range(1, 26)))
    count(layer)
    with layer.store.reading() as session:
        assert session.scalars(select(func.sum(Metered.amount))).one() == Decimal("0.75")


def test_a_list_without_a_price_for_them_fails_the_run_and_says_what_to_do(
    layer: MakeLayer, tmp_path: Any
) -> None:
    path = tmp_path / "none.yml"
    path.write_text("exchange: {EUR: 1}\nitems: {}\nbudgets: {currency: EUR}\n")
    made = layer(message_costs, costs_file=path)
    told(made, {"outbox_id": 1})
    assert count(made) == State.FAILED
    assert "add it to costs.yml" in made.alerts()[0][1]

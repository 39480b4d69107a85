"""A layer with a price list that is easy to reckon with."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloud_jobs.costs.metering import meter
from cloud_jobs.runtime.job import Job
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

LIST = """
exchange: {EUR: 1, USD: 0.5}
allowances:
  money: {amount: 5.00, currency: USD, per: month}
  calls: {units: 10, per: day}
items:
  set: {group: flights, price: 0.01, currency: USD, allowance: money}
  call: {group: weather, price: 0.10, currency: EUR, allowance: calls}
  token: {group: model, price: 2.00, per: 1000000, currency: EUR}
  whatsapp.service: {group: messages, currency: EUR, by_country: {IT: 0.03, other: 0.01}}
  whatsapp.marketing: {group: messages, currency: EUR, by_country: {IT: 0.07, other: 0.05}}
fixed:
  vps: {group: hosting, price: 4.50, currency: EUR}
budgets: {currency: EUR, total: 10.00, groups: {messages: 3.00}}
"""
NOON = datetime(2026, 11, 16, 11, tzinfo=UTC)  # noon in Rome, and half of November is over
KEYS = itertools.count()
Priced = Callable[..., Layer]


@pytest.fixture
def priced(layer: MakeLayer, tmp_path: Path) -> Priced:
    """Makes a layer that has this price list."""
    path = tmp_path / "costs.yml"
    path.write_text(LIST)

    def make(*jobs: Job[Any], **overrides: Any) -> Layer:
        return layer(*jobs, **{"costs_file": path} | overrides)

    return make


def use(layer: Layer, item: str, quantity: int = 1, at: datetime = NOON, **given: Any) -> Decimal:
    """Meter something."""
    with layer.store.writing() as session:
        return meter(
            session,
            layer.settings,
            key=f"use-{next(KEYS)}",
            item=item,
            quantity=quantity,
            at=at,
            **given,
        )

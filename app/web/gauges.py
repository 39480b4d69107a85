"""Gauges for Prometheus, from what was looked up in this moment."""

from collections.abc import Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

Samples = tuple[tuple[str, ...], Mapping[Any, float]]
"""Names of labels, and a value for each combination of theirs, a tuple."""


def gauge(name: str, what: str, samples: Samples) -> Metric:
    """One gauge with its samples; ``what`` is its help text."""
    labels, values = samples
    family = GaugeMetricFamily(name, what, labels=labels)
    for combination, value in values.items():
        family.add_metric(combination, value)
    return family

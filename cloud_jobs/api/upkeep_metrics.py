"""What this month has cost and what is wrong, as metrics."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_jobs.costs.budgets import shares
from cloud_jobs.costs.months import Month, spent
from cloud_jobs.costs.prices import CostsError
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.alerts import Alert, AlertDelivery, Told


def upkeep_metrics(session: Session, settings: CloudSettings, now: datetime) -> Iterator[Metric]:
    """Costs in the currency of the settings, shares from 0 (1 is all of a budget), alerts."""
    yield from _alerts(session)
    try:
        month = spent(session, settings, Month.of(now, settings.zone))
        found = shares(settings, month)
    except CostsError:
        return  # an alert says so; the other metrics are wanted all the same
    cost = GaugeMetricFamily(
        "portiere_cloud_cost", "What this month has cost.", labels=("group", "currency")
    )
    for group, amount in month.by_group.items():
        cost.add_metric((group, month.currency), float(amount))
    yield cost
    used = GaugeMetricFamily(
        "portiere_cloud_budget_used", "Of this month's budget, from 0 to 1.", labels=("budget",)
    )
    for share in found:
        used.add_metric((share.name,), float(share.percent / 100))
    yield used


def _alerts(session: Session) -> Iterator[Metric]:
    is_open = Alert.resolved_at.is_(None)
    kinds = session.execute(
        select(Alert.kind, func.count()).where(is_open).group_by(Alert.kind)
    ).all()
    alerts = GaugeMetricFamily("portiere_cloud_alerts", "Open alerts.", labels=("kind",))
    for kind, number in kinds:
        alerts.add_metric((kind,), number)
    yield alerts
    waiting = session.scalars(
        select(func.count()).select_from(AlertDelivery).where(AlertDelivery.state == Told.PENDING)
    ).one()
    yield GaugeMetricFamily(
        "portiere_cloud_alerts_undelivered", "Alerts that wait for their channel.", value=waiting
    )

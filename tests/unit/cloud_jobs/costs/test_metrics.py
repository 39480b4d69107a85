"""What is scraped of costs and alerts."""

from datetime import UTC, datetime

from cloud_jobs.alerts.raising import raise_alert
from cloud_jobs.api.upkeep_metrics import upkeep_metrics
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer
from tests.unit.cloud_jobs.costs.conftest import Priced, use


def scraped(layer: Layer) -> dict[tuple[str, ...], float]:
    with layer.store.reading() as session:
        found = list(upkeep_metrics(session, layer.settings, datetime.now(UTC)))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in found
        for sample in metric.samples
    }


def test_costs_by_group_and_shares_of_budgets_are_told(priced: Priced) -> None:
    layer = priced()
    use(layer, "whatsapp.service.IT", 50, at=datetime.now(UTC))
    found = scraped(layer)
    assert found["portiere_cloud_cost", "messages", "EUR"] == 1.5
    assert found["portiere_cloud_budget_used", "messages"] == 0.5
    assert found["portiere_cloud_budget_used", "total"] == 0.15


def test_open_alerts_are_told_by_kind(layer: MakeLayer) -> None:
    made = layer(alert_by_desk="all")
    for key in ("job:a", "job:b"):
        with made.store.writing() as session:
            raise_alert(
                session,
                made.seal,
                made.settings,
                key=key,
                kind="job_failed",
                text="failed",
                now=datetime.now(UTC),
            )
    found = scraped(made)
    assert found["portiere_cloud_alerts", "job_failed"] == 2
    assert found["portiere_cloud_alerts_undelivered",] == 2

"""Gauges of leading and standing by, for the gateway's ``/metrics`` of both nodes."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from app import steady
from app.ha import view as views
from app.ha.journal import Journal, journal_file
from app.ha.paused import paused
from app.ha.view import View
from app.leading import Role, Standing, leadership_of
from app.settings import Settings
from app.web.gauges import Samples, gauge


def ha_metrics(settings: Settings) -> Iterator[Metric]:
    """All of them; none on a node that leads alone.

    Who leads is read where the processes that act read it. What only the node knows is left out
    while it doesn't run: an old number is worse than none.
    """
    if not settings.ha_authority:
        return
    leadership = leadership_of(settings)
    yield from _of_standing(leadership.standing(), leads=leadership.term() is not None)
    view = views.read(settings.ha_directory)
    runs = view is not None and view.is_current
    yield _one("portiere_ha_node_up", "Whether the node runs.", float(runs))
    pause = paused(settings.ha_directory)
    yield _one(
        "portiere_ha_paused", "Whether no change of leader is wanted.", float(pause is not None)
    )
    if view is not None and runs:
        yield from _of_view(view)
    yield from _of_last_takeover(Journal(journal_file(settings)))


def _of_standing(standing: Standing, *, leads: bool) -> Iterator[Metric]:
    yield _one("portiere_ha_leader", "Whether this node leads, and may act.", float(leads))
    yield _one("portiere_ha_term", "The newest term that it knows of.", standing.term)
    if standing.role is Role.LEADER and standing.valid_until is not None:
        left = max(0.0, standing.valid_until - steady.now())
        yield _one("portiere_ha_lease_seconds_left", "How long its lease lasts.", left)


def _of_view(view: View) -> Iterator[Metric]:
    yield _one(
        "portiere_ha_authority_up",
        "Whether the lease's authority is reached.",
        float(view.authority_by is not None),
    )
    yield _one("portiere_ha_peer_up", "Whether the other is heard of.", float(view.peer_is_up))
    yield _one("portiere_ha_spooled", "Events in its spool that the leader lacks.", view.spooled)
    yield _one("portiere_ha_alone", "Events that it alone has accepted so far.", view.alone)
    if view.lag is not None:
        yield _one("portiere_ha_copy_lag_seconds", "How far the copy is behind.", view.lag)
    if view.lag_rows is not None:
        yield _one("portiere_ha_copy_lag_transactions", "The same in transactions.", view.lag_rows)


def _of_last_takeover(journal: Journal) -> Iterator[Metric]:
    for past in journal.runs(_RUNS):
        if past.procedure == "takeover":
            steps: Samples = (
                ("step",),
                {(step.name,): (step.took_ms or 0) / 1000 for step in past.steps},
            )
            yield gauge("portiere_ha_last_takeover_seconds", "What its last one took.", steps)
            return


def _one(name: str, what: str, value: float) -> Metric:
    return gauge(name, what, ((), {(): value}))


# Some rejoins and switchovers may lie between.
_RUNS = 50

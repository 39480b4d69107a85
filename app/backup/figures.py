"""Gauges of this machine's backups, for the gateway's ``/metrics`` of both nodes."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.core import Metric

from app.backup.due import ours
from app.backup.faults import free_bytes
from app.backup.state import Drill, State, read_state
from app.settings import Settings
from app.web.gauges import Samples, gauge


def backup_metrics(settings: Settings) -> Iterator[Metric]:
    """All of them. Of what another machine is to back up now, none: an old number is worse than
    none."""
    free = free_bytes(settings)
    if free is not None:
        yield gauge(
            "portiere_disk_free_bytes", "Free where the database is.", ((), {(): float(free)})
        )
    if not settings.repositories:
        return
    state, now = read_state(settings.backup_directory), datetime.now(UTC)
    yield from _of_backups(settings, state, now)
    yield from _of("drill", "Restoring a kind beside the real one", "kind", state.drills, now)
    yield from _of("keeping", "Looking after a repository", "repository", state.kept, now)


def _of_backups(settings: Settings, state: State, now: datetime) -> Iterator[Metric]:
    labels = ("kind", "repository")
    found = {
        (kind.value, address): state.of(kind, address)
        for kind in ours(settings)
        for address in settings.repositories
    }
    ages: Samples = (
        labels,
        {key: _age(one.made.at, now) for key, one in found.items() if one.made},
    )
    yield gauge("portiere_backup_age_seconds", "How old the newest backup is.", ages)
    failed: Samples = (labels, {key: float(one.failed is not None) for key, one in found.items()})
    yield gauge("portiere_backup_failed", "Whether the last attempt came to nothing.", failed)


def _of(
    name: str, what: str, label: str, found: Mapping[str, Drill], now: datetime
) -> Iterator[Metric]:
    """How long ago each was done, and how old its data were, and whether it was well."""
    ages: Samples = ((label,), {(key,): _age(one.at, now) for key, one in found.items()})
    yield gauge(f"portiere_backup_{name}_age_seconds", f"{what}: how long ago.", ages)
    failed: Samples = (
        (label,),
        {(key,): float(one.failed is not None) for key, one in found.items()},
    )
    yield gauge(f"portiere_backup_{name}_failed", f"{what}: whether that failed.", failed)


def _age(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())

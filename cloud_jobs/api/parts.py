"""What the routes work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.sealing import Seal
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store


@dataclass(frozen=True)
class Parts:
    """The parts of this process. ``dispatch`` is called with runs after their commit."""

    settings: CloudSettings
    store: Store
    seal: Seal
    jobs: Jobs
    dispatch: Callable[[Sequence[str]], None]


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)

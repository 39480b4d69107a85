"""The node of a machine without another: it leads, always."""

import threading
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Final

import structlog

from app.ha.alerts import Troubles
from app.ha.parts import Parts
from app.ha.troubling import tell_troubles_alone
from app.heap import settle_heap
from app.leading import Alone
from app.settings import Settings
from app.store.database import DatabaseError

log = structlog.get_logger()
LOOK: Final = timedelta(seconds=5)


def run_alone(settings: Settings, stopping: threading.Event) -> None:
    """Work until ``stopping`` is set."""
    parts = Parts(settings, Alone(), copied=lambda: None)
    settle_heap()
    with ExitStack() as running:
        running.callback(parts.stop)
        parts.start()
        parts.talk_now()
        log.info("node_ready", cloud=settings.cloud_url is not None)
        troubles = Troubles()
        while not stopping.wait(LOOK.total_seconds()):
            # One that is busy or damaged is told of elsewhere; it is looked at again.
            with suppress(DatabaseError):
                tell_troubles_alone(settings, troubles, parts.desk)
        log.info("node_stopping")

"""Serving: one process, or several that share the listening sockets and the load.

Several are uvicorn's own: a supervisor starts them, starts another where one died, and on SIGHUP
replaces one after the other, each retired only once its successor serves. They read the settings
anew, so SIGHUP also takes over what was changed there. One process has no supervisor.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app import logs
from app import settings as configuration
from app.settings import Settings, SettingsError
from app.store.database import StoreError, open_database
from app.web.serving import UVICORN, listen

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    sockets = listen(settings.bind_addresses)
    if settings.gateway_workers == 1:
        _serve_alone(settings, sockets)
    else:
        _supervise(settings, sockets)


def worker_app() -> ASGIApp:
    """The app of one of several processes, each with settings, logs and connections of its own."""
    try:
        settings = configuration.load()
        logs.configure("gateway", settings.log_level, settings.log_dir, several=True)
        app = _make_app(settings)
    except (SettingsError, StoreError, OSError) as error:
        # So says uvicorn's supervisor, too: it would fail again, so don't start another.
        sys.stderr.write(f"portiere: {error}\n")
        sys.exit(STARTUP_FAILURE)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    log.info("gateway_ready", pid=os.getpid())
    return app


def _make_app(settings: Settings) -> ASGIApp:
    # Only here: what counts requests asks the environment, as it is loaded, where to count.
    from app.gateway.api import make_gateway  # noqa: PLC0415 - see above

    return make_gateway(settings)


def _serve_alone(settings: Settings, sockets: list[socket.socket]) -> None:
    server = uvicorn.Server(uvicorn.Config(_make_app(settings), **UVICORN))
    log.info("gateway_ready", addresses=settings.gateway_bind)
    server.run(sockets=sockets)


def _supervise(settings: Settings, sockets: list[socket.socket]) -> None:
    if not settings.ha_authority:
        # What is wrong with it is said here, once, and not by each of them. With another node it is
        # opened by whoever leads, and not before.
        open_database(settings.database).close_all()
    _empty_metrics(settings.database.with_name("gateway-metrics"))
    config = uvicorn.Config(
        "app.gateway.serving:worker_app",
        factory=True,
        workers=settings.gateway_workers,
        **UVICORN,
    )
    log.info(
        "gateway_supervising",
        processes=settings.gateway_workers,
        addresses=settings.gateway_bind,
    )
    supervisor = Multiprocess(config, sockets)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _empty_metrics(directory: Path) -> None:
    """Where the processes add up what they count, each in files of its own; from zero."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in directory.glob("*.db"):
        file.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def _end_with_parent() -> None:
    """A supervisor that was killed can't end its processes: they would keep its address."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

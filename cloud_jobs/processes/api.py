"""The API process: one, for its long polls are woken within it."""

import socket

import structlog
import uvicorn

from app.web.serving import UVICORN, listen
from cloud_jobs.api.app import make_app
from cloud_jobs.api.listening import Listening
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.database import Store
from cloud_jobs.store.schema import wait_until_current

log = structlog.get_logger()


class Server(uvicorn.Server):
    """uvicorn's, which lets the long polls go when it ends: each may have half a minute to wait."""

    def __init__(self, config: uvicorn.Config, listening: Listening) -> None:
        super().__init__(config)
        self._listening = listening

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once it is told to end."""
        self._listening.end()
        await super().shutdown(sockets)


def run(settings: CloudSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    sockets = listen(settings.bind_addresses)
    store = Store(settings.store_url.get_secret_value())
    wait_until_current(store)
    store.close()
    app = make_app(settings)
    server = Server(uvicorn.Config(app, **UVICORN), app.state.listening)
    log.info("api_ready", addresses=settings.cloud_bind)
    server.run(sockets=sockets)

"""What the leader's app and the standby's have in common."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from app.settings import Settings, SettingsError
from app.settings_api import ApiClient, Scope
from app.store.database import DatabaseError
from app.web.problems import answer_with_problems


def bare_app(lifespan: Any) -> FastAPI:
    """An app without routes, whose errors are problems."""
    app = FastAPI(
        title="Portiere gateway",
        version=version("portiere"),
        lifespan=lifespan,
        # The document comes from the command line; the open door shows nothing it need not.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    answer_with_problems(app, DatabaseError)
    return app


def peer_clients(settings: Settings) -> Mapping[str, ApiClient]:
    """The other node, as a client of this gateway; none where this node leads alone.

    Raises :class:`SettingsError` if another client has its name.
    """
    if not settings.ha_authority:
        return {}
    if settings.ha_peer in settings.clients:
        raise SettingsError(
            f"PORTIERE_API_CLIENTS has a client {settings.ha_peer}, which is the other node "
            "(PORTIERE_HA_PEER): name the client differently"
        )
    key, scopes = settings.ha_key_bytes, frozenset({Scope.NODE})
    return {settings.ha_peer: ApiClient.model_construct(keys=(key,), scopes=scopes)}

"""``/api/lease``: who leads the desk, asked by its two nodes; and seen by people."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app import lease
from app.lease import Answer, Asked, Seen, Wish
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented
from cloud_jobs.api.parts import Parts
from cloud_jobs.exchange.authority import Authority

_MayLead = Annotated[Caller, Depends(caller(Scope.LEASE))]


class Leading(BaseModel):
    """Who leads, and how both nodes are."""

    holder: str | None = Field(description="None: nobody ever led.")
    term: int
    since: datetime | None = Field(description="When this term was given.")
    begun: int = Field(description="The last term in which a holder said that it leads.")
    free_in: float = Field(description="Seconds until another may take the lease; 0: it is free.")
    nodes: dict[str, Seen]


def lease_routes(parts: Parts, authority: Authority) -> APIRouter:
    """The routes; both of scope ``lease``. The client's name is the node's."""
    router = APIRouter(tags=["lease"])
    nodes = {name for name, one in parts.settings.clients.items() if Scope.LEASE in one.scopes}

    @router.post(
        lease.PATH, summary="Ask for the lease, and say how the node is", responses=documented(409)
    )
    def ask(asked: Asked, who: _MayLead) -> Answer:
        if asked.wish is Wish.GIVE and asked.to not in nodes - {who.name}:
            raise ProblemError(
                409,
                "not-another-node",
                "to: name the other node, a client of the scope lease: PORTIERE_API_CLIENTS.",
            )
        return authority.ask(asked, who)

    @router.get(lease.PATH, summary="Who leads", responses=documented())
    def show(_who: _MayLead) -> Leading:
        found = authority.view()
        return Leading(
            holder=found.holder,
            term=found.term,
            since=found.since,
            begun=found.begun,
            free_in=found.free_in,
            nodes=found.nodes,
        )

    return router

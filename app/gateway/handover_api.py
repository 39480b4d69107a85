"""``/api/ha/handover``: what only the other node has, from when it led, is handed over here.

For the other node alone, and of no use to anybody else: it isn't in the API's document. Only the
app of a leader has these routes.
"""

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.ha.handed import PATH, Batch, Beginning, Counts
from app.ha.taking_in import Keeper, TakenIn, take_in
from app.messages.handed_over import found_after
from app.messages.leading import current
from app.store.database import Database
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError
from app.work.jobs import Job

_IsNode = Annotated[Caller, Depends(caller(Scope.NODE))]
_Term = Annotated[int, Query(ge=0, lt=2**53)]


def handover_routes(keeper: Keeper, queue: Callable[[Job, int], None]) -> APIRouter:
    """The routes by which the other node hands over; ``queue`` has jobs done soon."""
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    def begun_with(_who: _IsNode, after: _Term) -> Beginning:
        return _begun_with(keeper.database, after)

    @router.post(PATH)
    async def take(request: Request, who: _IsNode) -> Counts:
        try:
            # Strictly, and bytes as base64: only reading it from JSON can do both.
            batch = Batch.model_validate_json(await request.body())
        except ValidationError as error:
            told = f"{error.error_count()} errors: deploy the same release on both nodes"
            raise ProblemError(422, "handover-invalid", told) from None
        taken = await run_in_threadpool(_take, keeper, batch, who.name)
        for job, row_id in taken.jobs:
            queue(job, row_id)
        return Counts(counts=dict(taken.counts))

    return router


def _take(keeper: Keeper, batch: Batch, node: str) -> TakenIn:
    term = current(keeper.database.connection)
    if batch.to_term != term:
        raise ProblemError(409, "another-term", f"This node leads in term {term}: ask anew.")
    return take_in(keeper, batch, node)


def _begun_with(database: Database, after: int) -> Beginning:
    """What was found when the first term after ``after`` began: later ones began with more."""
    connection = database.connection
    term, note = current(connection) or 0, found_after(connection, after)
    try:
        return Beginning.model_validate({**json.loads(note or "{}"), "term": term})
    except (ValueError, TypeError):  # a note of another kind: then all is offered
        return Beginning(term=term)

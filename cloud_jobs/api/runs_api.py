"""``/api/runs``: what the jobs did, and doing it again or no more."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented
from app.web.written import Moment
from cloud_jobs.api.parts import Parts, utc_now
from cloud_jobs.api.run_models import LogShown, RunShown, RunsPage, RunWhole, StepShown
from cloud_jobs.exchange import audit
from cloud_jobs.runtime import listing
from cloud_jobs.runtime.cancelling import cancel
from cloud_jobs.runtime.listing import Filter
from cloud_jobs.runtime.replaying import MOST_REPLAYED, Replayed, replay
from cloud_jobs.store.runs import State

_MayRead = Annotated[Caller, Depends(caller(Scope.JOBS))]
_MayChange = Annotated[Caller, Depends(caller(Scope.QUEUES))]
_RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_Name = Annotated[str | None, Field(pattern=r"^[a-z0-9-]{1,60}$")]
_Kind = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.]{1,60}$")]
# What an INTEGER PRIMARY KEY holds.
_LARGEST = 2**63 - 1


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is 1, and neither "1" nor true is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = Annotated[int, Field(strict=True), BeforeValidator(_whole)]


class Which(BaseModel):
    """Which runs: those that fit all that is given."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    job: _Name = None
    state: State | None = None
    error_kind: _Kind = None
    since: Moment | None = Field(None, description="Of when the run was made.")
    until: Moment | None = None

    def filter(self) -> Filter:
        """The same, for the store."""
        return Filter(
            job=self.job,
            state=self.state,
            error_kind=self.error_kind,
            since=self.since,
            until=self.until,
        )


class Page(Which):
    """Which of them."""

    before: int | None = Field(None, ge=1, le=_LARGEST, description="The last page's `next`.")
    limit: int = Field(50, ge=1, le=listing.MOST_LISTED)


class ToReplay(BaseModel):
    """How a run is done again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    keep_steps: bool = Field(
        False, description="Go on behind its last finished step, and repeat nothing."
    )


class ManyToReplay(Which):
    """Which are done again: those that are over, and weren't done again yet; the oldest first."""

    keep_steps: bool = Field(False, description="As for one.", strict=True)
    limit: _Whole = Field(MOST_REPLAYED, ge=1, le=MOST_REPLAYED)


class ReplayedRuns(BaseModel):
    """The new runs."""

    run_ids: list[str]
    left_out: int = Field(description="Runs whose job is no more.")

    @classmethod
    def of(cls, replayed: Replayed) -> Self:
        """What the store says."""
        return cls(run_ids=list(replayed.run_ids), left_out=replayed.left_out)


class Cancelled(BaseModel):
    """``cancelled``, or ``running``: it ends at its next step. Any other: it was over."""

    run_id: str
    state: State


def run_routes(parts: Parts) -> APIRouter:
    """The routes; reading is of scope ``jobs``, changing of scope ``queues``."""
    router = APIRouter(prefix="/api", tags=["runs"])

    @router.get("/runs", summary="The runs, the newest first", responses=documented())
    def runs(page: Annotated[Page, Query()], _who: _MayRead) -> RunsPage:
        with parts.store.reading() as session:
            found = listing.find(session, page.filter(), before_seq=page.before, limit=page.limit)
        following = found[-1].seq if len(found) == page.limit else None
        return RunsPage(runs=[RunShown.of(run) for run in found], next=following)

    @router.get("/runs/{run_id}", summary="A run, its steps, its log", responses=documented(404))
    def run(run_id: _RunId, _who: _MayRead) -> RunWhole:
        with parts.store.reading() as session:
            found = listing.get(session, run_id)
            if found is None:
                raise _unknown()
            steps = listing.steps_of(session, run_id)
            logs = listing.logs_of(session, run_id)
        return RunWhole(
            run=RunShown.of(found),
            steps=[StepShown(name=name, attempt=by, finished_at=at) for name, by, at in steps],
            logs=[LogShown.of(line) for line in logs],
        )

    @router.post(
        "/runs/{run_id}/replay",
        status_code=202,
        summary="Do it again, as a new run",
        responses=documented(404, 409),
    )
    def again(asked: ToReplay, run_id: _RunId, who: _MayChange) -> ReplayedRuns:
        with parts.store.writing(durable=True) as session:
            found = listing.get(session, run_id)
            if found is None:
                raise _unknown()
            replayed = _replay(parts, session, run_id, asked.keep_steps, 1)
            if not (replayed.run_ids or replayed.left_out):
                raise ProblemError(
                    409, "run-not-over", "It is not over: wait, or cancel it, then replay it."
                )
            _audit(session, who, "run.replayed", run_id)
        parts.dispatch(replayed.run_ids)
        return ReplayedRuns.of(replayed)

    @router.post("/runs/{run_id}/cancel", summary="Let it run no more", responses=documented(404))
    def stop(run_id: _RunId, who: _MayChange) -> Cancelled:
        with parts.store.writing(durable=True) as session:
            state = cancel(session, run_id, utc_now())
            if state is None:
                raise _unknown()
            _audit(session, who, "run.cancelled", run_id)
        return Cancelled(run_id=run_id, state=state)

    @router.post(
        "/replay",
        status_code=202,
        summary="Do many again, as new runs",
        responses=documented(),
    )
    def many_again(asked: ManyToReplay, who: _MayChange) -> ReplayedRuns:
        with parts.store.writing(durable=True) as session:
            replayed = _replay(parts, session, asked.filter(), asked.keep_steps, asked.limit)
            _audit(session, who, "runs.replayed", f"{len(replayed.run_ids)} runs")
        parts.dispatch(replayed.run_ids)
        return ReplayedRuns.of(replayed)

    return router


def _replay(
    parts: Parts, session: Session, which: Filter | str, keep_steps: bool, limit: int
) -> Replayed:
    return replay(
        session,
        which,
        seal=parts.seal,
        jobs=parts.jobs,
        zone=parts.settings.zone,
        now=utc_now(),
        keep_steps=keep_steps,
        limit=limit,
    )


def _unknown() -> ProblemError:
    return ProblemError(404, "run-unknown", "No run has this id.")


def _audit(session: Session, who: Caller, action: str, target: str) -> None:
    now: datetime = utc_now()
    audit.record(
        session,
        actor=who.name,
        action=action,
        target=target,
        request_id=who.request_id,
        address=who.address,
        now=now,
    )

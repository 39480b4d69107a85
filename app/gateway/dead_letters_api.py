"""``/api/dead-letters``: what was given up; sent on its way again, or discarded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.messages import audit
from app.messages.dead_letters import PAGE, DeadLetters, Letter, LetterKind, Replay, Sieve
from app.store.database import Connection, Database
from app.web.clients import Caller, Scope, caller
from app.web.problems import ProblemError, documented
from app.web.written import Moment

# What one call replays: each letter is a transaction, and a caller waits.
MOST_AT_ONCE: Final = 500
# SQLite's integers have 64 bits.
RowId = Annotated[int, Path(ge=1, lt=2**63)]
_Note = Annotated[str | None, Field(min_length=1, max_length=200)]
_Who: TypeAlias = Annotated[Caller, Depends(caller(Scope.QUEUES))]


class LetterLine(BaseModel):
    """One letter, without what it says."""

    kind: LetterKind
    id: int
    what: str = Field(description="The event, kind or name that its table has.")
    state: str
    note: str = Field(description="Why it was given up.")
    attempts: int
    since: datetime


class Letters(BaseModel):
    """One page; ``next`` is the ``after`` of the following one."""

    letters: list[LetterLine]
    next: str | None


class Which(BaseModel):
    """Which letters: all that fit what is given."""

    model_config = ConfigDict(extra="forbid")

    kind: LetterKind | None = None
    note: _Note = Field(None, description="A part of the note, in any case.")
    before: Moment | None = Field(None, description="Written before then.")

    def sieve(self) -> Sieve:
        """The same, as the table wants it."""
        return Sieve(self.kind, self.note, self.before)


class Asked(Which):
    """One page of them."""

    after: str | None = Field(
        None, pattern=r"^[a-z_]{1,20}:[0-9]{1,18}$", description="`next` of the page before."
    )
    limit: int = Field(PAGE, ge=1, le=PAGE)


class How(BaseModel):
    """How one letter is sent on its way again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    in_doubt: bool = Field(False, description="Even if it was perhaps sent: somebody has looked.")


class Why(BaseModel):
    """Why a letter is discarded."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(
        min_length=1, max_length=200, pattern=r"\S", description="Nothing of a guest."
    )


class Outcome(BaseModel):
    """What became of a letter."""

    kind: LetterKind
    id: int
    outcome: str = Field(description="replayed or discarded")


class Outcomes(BaseModel):
    """How many were sent on their way, and left because they were perhaps sent already; ``more``:
    call again."""

    replayed: int
    in_doubt: int
    more: bool


def dead_letter_routes(database: Database, letters: DeadLetters) -> APIRouter:
    """The routes; all of scope ``queues``."""
    router = APIRouter(prefix="/api/dead-letters", tags=["queues"], responses=documented())

    @router.get("", summary="What was given up")
    def page(
        _who: _Who,
        which: Annotated[Asked, Query()],
    ) -> Letters:
        kind, _, row_id = (which.after or ":0").partition(":")
        found = letters.page(which.sieve(), (kind, int(row_id)), which.limit)
        last = f"{found[-1].kind}:{found[-1].row_id}" if len(found) == which.limit else None
        return Letters(letters=[_line(letter) for letter in found], next=last)

    @router.post("/replay", summary="Send all that fit on their way again")
    def replay_all(which: Which, who: _Who) -> Outcomes:
        return _replay_all(database, letters, which.sieve(), who)

    @router.get("/{kind}/{row_id}", summary="One of them, masked", responses=documented(404))
    def show(kind: LetterKind, row_id: RowId, _who: _Who) -> dict[str, Any]:
        found = letters.show(kind, row_id, reveal=False)
        if found is None:
            raise _gone()
        return found

    @router.post(
        "/{kind}/{row_id}/replay",
        summary="Send it on its way again",
        responses=documented(404, 409),
    )
    def replay(kind: LetterKind, row_id: RowId, how: How, who: _Who) -> Outcome:
        _replay_one(database, letters, (kind, row_id), how, who)
        return Outcome(kind=kind, id=row_id, outcome=Replay.REPLAYED)

    @router.post(
        "/{kind}/{row_id}/discard",
        summary="Nothing is to be done about it",
        responses=documented(404),
    )
    def discard(kind: LetterKind, row_id: RowId, why: Why, who: _Who) -> Outcome:
        with database.transaction() as connection:
            if not letters.discard(connection, kind, row_id, who.name, why.reason):
                raise _gone()
            detail = {"reason": why.reason}
            _audit(connection, who, "dead_letter.discarded", f"{kind}:{row_id}", detail)
        return Outcome(kind=kind, id=row_id, outcome="discarded")

    return router


def _replay_one(
    database: Database, letters: DeadLetters, letter: tuple[LetterKind, int], how: How, who: Caller
) -> None:
    kind, row_id = letter
    with database.transaction() as connection:
        became = letters.replay(connection, kind, row_id, in_doubt=how.in_doubt)
        if became is Replay.REPLAYED:
            _audit(connection, who, "dead_letter.replayed", f"{kind}:{row_id}")
    if became is Replay.GONE:
        raise _gone()
    if became is Replay.IN_DOUBT:
        raise ProblemError(
            409,
            "perhaps-sent",
            "Nobody knows whether the guest got it: look, then ask again with in_doubt.",
        )


def _replay_all(database: Database, letters: DeadLetters, sieve: Sieve, who: Caller) -> Outcomes:
    became = {Replay.REPLAYED: 0, Replay.IN_DOUBT: 0, Replay.GONE: 0}
    for letter in letters.all(sieve):
        if became[Replay.REPLAYED] == MOST_AT_ONCE:
            break
        with database.transaction() as connection:
            one = letters.replay(connection, letter.kind, letter.row_id)
            if one is Replay.REPLAYED:
                _audit(connection, who, "dead_letter.replayed", f"{letter.kind}:{letter.row_id}")
        became[one] += 1
    return Outcomes(
        replayed=became[Replay.REPLAYED],
        in_doubt=became[Replay.IN_DOUBT],
        more=became[Replay.REPLAYED] == MOST_AT_ONCE,
    )


def _gone() -> ProblemError:
    return ProblemError(404, "letter-unknown", "There is no such dead letter, or no more.")


def _line(letter: Letter) -> LetterLine:
    return LetterLine(
        kind=letter.kind,
        id=letter.row_id,
        what=letter.what,
        state=letter.state,
        note=letter.note,
        attempts=letter.attempts,
        since=letter.since,
    )


def _audit(
    connection: Connection,
    who: Caller,
    action: str,
    target: str,
    detail: Mapping[str, str] | None = None,
) -> None:
    audit.record(
        connection,
        actor=who.name,
        action=action,
        target=target,
        request_id=who.request_id,
        address=who.address,
        detail=detail,
    )

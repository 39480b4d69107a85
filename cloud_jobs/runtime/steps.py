"""The finished steps of one run, in its memory and in the store."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.claiming import Claimed
from cloud_jobs.runtime.job import FatalError
from cloud_jobs.runtime.starting import fitting
from cloud_jobs.store.base import table
from cloud_jobs.store.runs import Step

# Every step passes here: see `cloud_jobs.runtime.claiming`.
_STEPS: Final = table(Step)
_REMEMBER: Final = insert(_STEPS)
_REMEMBERED: Final = select(_STEPS.c.name, _STEPS.c.output).where(
    _STEPS.c.run_id == bindparam("of_run")
)


class Steps:
    """What was finished by the attempts before this one, by name; each name is asked for once."""

    def __init__(self, seal: Seal, claimed: Claimed) -> None:
        self._seal = seal
        self._claimed = claimed
        self._asked: set[str] = set()
        self._before: dict[str, bytes] = {}
        self._decided: list[dict[str, Any]] = []

    def load(self, session: Session) -> None:
        """Read what there is: to be called before the others."""
        found = session.connection().execute(_REMEMBERED, {"of_run": self._claimed.run_id})
        self._before = {row.name: row.output for row in found}

    def finished(self, name: str) -> str | None:
        """What a step came to, if an attempt before this one finished it.

        Raises :class:`FatalError` for a name that the run has used already.
        """
        name = fitting(name)
        if name in self._asked:
            raise FatalError(f"two steps are called {name}: give each of a run its own name")
        self._asked.add(name)
        sealed = self._before.get(name)
        return (
            None if sealed is None else self._seal.open(sealed, context(self._claimed.run_id, name))
        )

    def remember(self, session: Session, name: str, text: str) -> None:
        """Remember what a step came to, in the transaction of its effect."""
        session.connection().execute(_REMEMBER, self._row(name, text))

    def decided(self, name: str, text: str) -> None:
        """What was decided: to be remembered with what follows from it."""
        self._decided.append(self._row(name, text))

    def remember_decided(self, session: Session) -> None:
        """Remember it, in the transaction of the next effect."""
        if self._decided:
            session.connection().execute(_REMEMBER, self._decided)

    def are_remembered(self) -> None:
        """That transaction is committed."""
        self._decided = []

    def _row(self, name: str, text: str) -> dict[str, Any]:
        name = fitting(name)
        return {
            "run_id": self._claimed.run_id,
            "name": name,
            "attempt": self._claimed.attempt,
            "output": self._seal.seal(text, context(self._claimed.run_id, name)),
            "finished_at": datetime.now(UTC),
        }


def context(run_id: str, name: str) -> str:
    """What a step's output is sealed under."""
    return f"steps.output:{run_id}:{name}"

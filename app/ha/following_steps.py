"""What the node does about a request, shown as it does it."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from app import steady
from app.ha import asked
from app.ha import view as views
from app.ha.asked import VOID_AFTER, Answered, Request
from app.ha.journal import Entry, Journal, State
from app.ha.troubles import is_alive
from app.ha.words import spell

_LOOK: Final = timedelta(seconds=0.2)


class SilentError(Exception):
    """The node doesn't answer; the message says what that means and what to do."""


def follow(
    directory: Path,
    journal: Journal,
    request: Request,
    before: Sequence[Entry],
    show: Callable[[str], None],
) -> Answered:
    """Show each step that ends until the request is answered; ``before``: what was there already.

    :raises SilentError: if the node ends or hangs meanwhile, or doesn't come to it
        within :data:`app.ha.asked.VOID_AFTER`.
    """
    until = steady.now() + VOID_AFTER.total_seconds()
    seen = {_key(entry) for entry in before}
    while True:
        answer = asked.answered(directory, request.id)
        entries = journal.entries()
        for entry in entries:
            if _key(entry) not in seen:
                seen.add(_key(entry))
                _show(entry, show)
        if answer is not None:
            return answer
        if steady.now() >= until:
            raise SilentError(
                f"the node hasn't come to the {request.verb} within {spell(VOID_AFTER)}: "
                "portiere ha status says what it lacks. Ask again when that is mended."
            )
        _see_that_it_runs(directory, request, entries[-1] if entries else None)
        time.sleep(_LOOK.total_seconds())


def _see_that_it_runs(directory: Path, request: Request, last: Entry | None) -> None:
    if is_alive(views.read(directory), last):
        return
    if asked.answered(directory, request.id) is not None:
        return
    raise SilentError(
        f"the node ended or hangs while it was asked for a {request.verb}. Started again it goes "
        "on from the step it was at: portiere ha status says where it stands."
    )


def _show(entry: Entry, show: Callable[[str], None]) -> None:
    if entry.state is State.BEGAN:
        return
    took = spell(timedelta(milliseconds=entry.took_ms or 0))
    failed = "  FAILED" if entry.state is State.FAILED else ""
    note = f"  {entry.note}" if entry.note else ""
    at = f"{entry.at.astimezone():%H:%M:%S}"
    show(f"{at}  {entry.procedure} {entry.step}  {entry.name:<38} {took:>7}{failed}{note}")


def _key(entry: Entry) -> tuple[str, int, State, float]:
    return entry.run, entry.step, entry.state, entry.steady_at

"""What ``portiere ha status`` shows: one screen of 80 columns, for somebody who was woken."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.ha.journal import Past, State
from app.ha.paused import Pause
from app.ha.troubles import Trouble
from app.ha.view import View
from app.ha.words import spell
from app.leading import Role

WIDTH: Final = 80
# What a person asks after: who led. The steps on the way (follow, open, hand over) are in the log.
CHANGES: Final = ("takeover", "switchover", "step down", "rejoin", "restore")
SHOWN: Final = 3
_INDENT: Final = 11
_NO_BREAK: Final = "\x1f"


def lines(
    view: View,
    pause: Pause | None,
    runs: Sequence[Past],
    wrong: Sequence[Trouble],
    backups: str | None = None,
) -> Iterator[str]:
    """The screen; ``runs`` the newest first, ``wrong`` the gravest; ``backups``: how they are."""
    now = datetime.now(UTC)
    well = "all is well" if not wrong else f"{len(wrong)} WRONG, see the end"
    if pause is not None:
        well += "; PAUSED"
    yield f"{view.node}, as seen {_at(view.at, seconds=True)}: {well}"
    yield ""
    if pause is not None:
        since = _at(pause.since)
        yield from _wrapped(
            "PAUSED", f"no change of leader by itself, since {since} by {pause.by}: {pause.reason}"
        )
    if view.peer_report is not None and view.peer_report.paused:
        yield from _wrapped("PAUSED", f"by {view.peer}: `portiere ha resume`, there")
    yield from _wrapped("leader", _leader(view, now))
    yield from _wrapped("lease", _lease(view))
    yield from _wrapped("standby", _standby(view))
    yield from _wrapped("copy", _copy(view))
    yield from _wrapped("at risk", _at_risk(view))
    yield from _wrapped("spooled", _spooled(view))
    yield from _wrapped("redis", _redis(view))
    if backups is not None:
        yield from _wrapped("backups", backups)
    if doing := _doing(view, runs):
        yield from _wrapped("doing", doing)
    if view.peer_report is not None and view.peer_report.doing:
        yield from _wrapped("", f"{view.peer}: {view.peer_report.doing}")
    changes = [run for run in runs if run.procedure in CHANGES][:SHOWN]
    if changes:
        yield ""
        yield "last changes here"
    for change in changes:
        yield from _change(change)
    for trouble in wrong:
        yield ""
        yield from _trouble(trouble)


def _trouble(trouble: Trouble) -> Iterator[str]:
    """What is wrong, and what to do about it."""
    yield from _wrapped("WRONG:", trouble.what, 7)
    yield from _wrapped("   do:", trouble.remedy, 7)


def _leader(view: View, now: datetime) -> str:
    if view.leader is None:
        return f"NOBODY, in term {view.lease.term if view.lease else view.standing.term}"
    who = f"{view.leader} (here)" if view.leader == view.node else view.leader
    term = max(view.standing.term, view.lease.term if view.lease else 0)
    how = f", by {view.how}" if view.how else ""
    since = ""
    if view.began_at is not None:
        since = f" since {_at(view.began_at)} ({spell(now - view.began_at)})"
    holds = ", HOLDING: it accepts and doesn't answer" if view.holds else ""
    return f"{who}{since}, term {term}{how}{holds}"


def _lease(view: View) -> str:
    if view.authority_by is None:
        since = f" since {_at(view.authority_since)}" if view.authority_since else ""
        reached = f"authority NOT REACHED{since}"
    else:
        reached = f"authority reached by {_way(view.authority_by)}"
    if view.standing.role is Role.LEADER and view.lease_left is None:
        return f"without end; {reached}"
    if view.lease_left is not None:
        left = f"{spell(timedelta(seconds=view.lease_left))} left" if view.lease_left else "OVER"
        return f"{left}; {reached}"
    if view.lease is not None and view.authority_by is not None:
        return f"free in {spell(timedelta(seconds=view.lease.free_in))}; {reached}"
    return reached


def _standby(view: View) -> str:
    if view.standby == view.peer:
        return f"{view.peer}, {_heard(view)}"
    ready = "ready to lead" if view.is_ready else "not ready to lead"
    return f"{view.node} (here), {ready}; {view.peer} {_heard(view, ready=False)}"


def _heard(view: View, *, ready: bool = True) -> str:
    if not view.peer_is_up:
        age = f" for {spell(view.peer_age)}" if view.peer_age else ""
        return f"NOT HEARD OF{age}"
    heard = f"heard of {spell(view.peer_age)} ago" if view.peer_age is not None else "heard of"
    by = f" by {_way(view.peer_by)}" if view.peer_by else ""
    if not ready:
        return f"{heard}{by}"
    wants = ", and about to" if view.peer_report and view.peer_report.wants_lead else ""
    return f"{'ready' if view.standby_is_ready else 'NOT READY'} to lead{wants}; {heard}{by}"


def _copy(view: View) -> str:
    if view.lag is None:
        return f"not known how far that on {view.standby} is"
    rows = f" and {view.lag_rows} transactions" if view.lag_rows is not None else ""
    at = f"; replicated to {view.replication}" if view.replication else ""
    return f"{spell(timedelta(seconds=view.lag))}{rows} behind on {view.standby}{at}"


def _at_risk(view: View) -> str:
    """What would be lost now, if the leader died and its disk with it."""
    alone, where = view.taken_alone
    if alone:
        return f"{alone} EVENTS are on {where} alone"
    if view.leader is None:
        return "nothing more: both machines keep what they accept"
    if view.leader == view.node and not view.peer_is_up:
        return f"WHAT IS ACCEPTED NOW is on {view.node} alone: {view.peer} isn't heard of"
    if view.lag is None:
        return "no accepted message; what was sent last would be found out by its echo"
    lag = spell(timedelta(seconds=view.lag))
    return f"nothing; what was sent in the last {lag} would wait for its echo"


def _spooled(view: View) -> str:
    there = view.peer_report.spooled if view.peer_report else None
    other = "not known" if there is None else f"{there or 'none'}"
    return f"{view.node} {view.spooled or 'none'}, {view.peer} {other}"


def _redis(view: View) -> str:
    other = view.peer_report.redis if view.peer_report else "not known"
    return f"{view.node} {view.redis}, {view.peer} {other}"


def _doing(view: View, runs: Sequence[Past]) -> str | None:
    """A node within a step writes no view: the journal says which one it is."""
    if not view.is_current and runs and runs[0].state is State.BEGAN:
        step = runs[0].steps[-1]
        age = f", for {spell(step.age)}" if step.age is not None else ""
        return f"{runs[0].procedure}, step {step.step}: {step.name}{age}"
    return view.doing


def _change(past: Past) -> Iterator[str]:
    how = (
        "" if past.state is State.DONE else f", {past.state.upper()} at step {past.steps[-1].step}"
    )
    took = spell(past.took)
    yield f"  {_at(past.began_at)}  {past.procedure}, term {past.term}, {took}{how}"
    line = ""
    for step in past.steps:
        took = f" {spell(timedelta(milliseconds=step.took_ms))}" if step.took_ms is not None else ""
        part = f"{step.step} {step.name}{took}"
        if line and len(line) + len(part) + 3 > WIDTH:
            yield line
            line = ""
        line = f"{line} · {part}" if line else f"    {part}"
    yield line


def _wrapped(name: str, text: str, indent: int = _INDENT) -> Iterator[str]:
    """Lines of :data:`WIDTH`; what stands in backticks is to be copied, and not broken."""
    whole = re.sub("`.*?`", lambda found: found[0].replace(" ", _NO_BREAK), text)
    for line in textwrap.wrap(
        whole, WIDTH, initial_indent=f"{name:<{indent}}", subsequent_indent=" " * indent
    ):
        yield line.replace(_NO_BREAK, " ")


def _way(way: str) -> str:
    return "the link" if way == "link" else f"its {way} name"


def _at(moment: datetime, *, seconds: bool = False) -> str:
    return f"{moment.astimezone():{'%d %b %H:%M:%S' if seconds else '%d %b %H:%M'}}"

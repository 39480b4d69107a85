"""What is wrong with leading and standing by, as a node's view shows it, and what to do about it.

For the person who looks (``portiere ha status``), in English; a function of the view and of nothing
else. What the desk is alerted of is in `app.ha.alerts`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.ha.journal import Entry, Past, State
from app.ha.view import OLD, View
from app.ha.words import spell
from app.leading import Role

# A restore of gigabytes over a slow line.
LONGEST_STEP: Final = timedelta(minutes=10)
# At ten messages a second a few are always on their way; these are two seconds of it.
ON_THEIR_WAY: Final = 20


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and what to do."""

    what: str
    remedy: str


def unseen(view: View | None, last: Entry | None) -> Trouble | None:
    """That the view can't be trusted: there is none, or it is old; ``last``: of the journal."""
    if view is None:
        return NOTHING_SEEN
    if is_alive(view, last):
        return None
    age = "of before this machine started" if view.age is None else f"{spell(view.age)} old"
    return Trouble(f"The node doesn't run, or hangs: what it last saw is {age}.", _START)


def is_alive(view: View | None, last: Entry | None) -> bool:
    """Whether the node runs: its view is fresh, or it is within a step, when it writes none."""
    if view is not None and view.is_current:
        return True
    if last is None or last.age is None:
        return False
    return last.age < (LONGEST_STEP if last.state is State.BEGAN else OLD)


def troubles(
    view: View, most_lag: timedelta, last: Past | None, *, is_paused: bool
) -> list[Trouble]:
    """All that is wrong, the gravest first; ``last``: the journal's last run."""
    found = [
        *_of_the_database(view),
        *_of_the_lead(view, is_paused=is_paused),
        *_of_the_programs(view),
        *_of_the_ways(view),
        *_of_the_copy(view, most_lag),
        *_of_events(view),
        *_of_redis(view),
    ]
    if last is not None and last.state is State.FAILED:
        step = last.steps[-1]
        note = f" ({step.note})" if step.note else ""
        found.append(
            Trouble(
                f"The last {last.procedure} failed at step {step.step}, {step.name}{note}.",
                "The node tries again by itself where that is safe; docs/failover.md has the "
                "steps by hand.",
            )
        )
    return found


def _of_the_database(view: View) -> Iterator[Trouble]:
    if view.damage is None:
        return
    if view.standing.role is Role.HANDING_OVER:
        yield Trouble(
            f"The database on {view.node} is damaged, and no good copy is reached: messages wait "
            "in the spool, and are answered by nobody.",
            "See to the link and to the place of the backups: each 5 minutes it is tried again. "
            "docs/corruption.md has what to do by hand.",
        )
        return
    yield Trouble(
        f"The database on {view.node} was damaged again, and was mended often enough: its disk or "
        "memory fails.",
        f"`portiere ha switchover --to {view.peer}`, then `portiere ha pause`, and another disk.",
    )


def _of_the_lead(view: View, *, is_paused: bool) -> Iterator[Trouble]:
    report = view.peer_report
    if view.holds:
        yield Trouble(
            f"{view.node} accepts messages and answers none: its lease has run out, and who "
            "leads isn't known.",
            f"See to the internet of {view.node}. Only if {view.peer} is off for certain: "
            f"`portiere ha failover --force`, on {view.node}.",
        )
    if view.leader is None:
        yield Trouble(
            "Nobody leads: messages are accepted by both machines, and answered by none.",
            _PAUSED if is_paused else _NOBODY.format(other=view.peer),
        )
    elif view.standing.role is Role.STANDBY and not view.peer_is_up:
        yield Trouble(
            f"{view.leader}, which leads, isn't heard of.",
            f"{view.node} takes over by itself when the lease is over, if it has the copy and "
            f"reaches the authority. Else, when {view.leader} is off: "
            "`portiere ha failover --force`, here.",
        )
    elif not view.peer_is_up and view.authority_by is not None:
        yield Trouble(
            f"{view.peer} isn't heard of: if {view.node} fails now, nobody steps in.",
            f"See that {view.peer} has power and internet and that its node runs.",
        )
    if view.leads and report is not None and report.role is Role.LEADER and view.peer_is_up:
        yield Trouble(
            f"{view.peer} says that it leads too, in term {report.term}.",
            "Terms keep it from sending. If that lasts, restart its node.",
        )


def _of_the_programs(view: View) -> Iterator[Trouble]:
    for program in view.gone:
        yield Trouble(
            f"The {program} on {view.node} doesn't run, ends again and again, or fails to lead.",
            f"On the Mac log/{program}.err says why, on the VPS "
            f"`docker logs portiere-{program}-1`. Meanwhile {view.peer} leads, if it can.",
        )


def _of_the_ways(view: View) -> Iterator[Trouble]:
    if view.authority_by is None:
        yield Trouble(
            f"The lease's authority (the cloud API on the VPS) is reached by no way{_since(view)}: "
            f"if {view.leader or view.node} fails now, nobody steps in.",
            "See that the VPS runs, and the cloud's API on it; then the link and its public name. "
            f"What came of each: {view.authority_said or 'nothing yet'}",
        )
    elif view.authority_by != "link":
        yield Trouble(
            f"The private link doesn't carry: the authority is reached by its {view.authority_by} "
            "name.",
            "Nothing is lost by it; replication waits for the link. See wireguard-go on both.",
        )
    if not view.provider_reachable:
        yield Trouble(
            f"{view.node} doesn't reach the provider.", f"See to the internet of {view.node}."
        )


def _of_the_copy(view: View, most_lag: timedelta) -> Iterator[Trouble]:
    standby = view.standby
    if view.standing.role is Role.STANDBY and not view.follows and view.doing is None:
        yield Trouble(
            f"{view.node} copies nothing of what the leader writes.",
            "See its log for litestream, the disk, and the link: `portiere ha rejoin` begins anew.",
        )
    elif view.lag is not None and view.lag > most_lag.total_seconds():
        lag = spell(timedelta(seconds=view.lag))
        yield Trouble(
            f"The copy on {standby} is {lag} behind.",
            f"See to the link, the load and the disk of {standby}: it should be within a second.",
        )
    elif view.peer_is_up and not view.standby_is_ready and view.doing is None:
        yield Trouble(
            f"{standby} isn't ready to lead.",
            f"`portiere ha status` on {standby} says what it lacks.",
        )


def _of_events(view: View) -> Iterator[Trouble]:
    if view.spooled_anywhere > ON_THEIR_WAY and view.peer_is_up and view.leader is not None:
        yield Trouble(
            f"{view.spooled_anywhere} events wait in a spool for the leader to take them.",
            "They are handed on by themselves; if their number grows, see to the link.",
        )
    alone, where = view.taken_alone
    if alone:
        yield Trouble(
            f"{alone} events are on {where} alone.",
            f"They are safe once the copy is caught up; leave the disk of {where} as it is until "
            "then.",
        )


def _of_redis(view: View) -> Iterator[Trouble]:
    expected = "primary" if view.standing.role is Role.LEADER else "replica"
    if view.doing is None and not view.redis.startswith(expected):
        yield Trouble(
            f"Redis on {view.node} is {view.redis} and should be {expected}.",
            "See that it runs, and its password; rows are the truth, nothing is lost by it.",
        )


def _since(view: View) -> str:
    if view.authority_since is None:
        return ""
    return f" since {view.authority_since.astimezone():%d %b %H:%M}"


_START = (
    "Start it: on the Mac `sudo launchctl kickstart -k system/app.portiere.node`, on the VPS "
    "`docker restart portiere-node-1`. Its log says why it ended."
)
_NOBODY = (
    "Wait a minute for the other to be given up. If nothing happens: see that {other} is off, then "
    "`portiere ha failover --force`, here."
)
_PAUSED = (
    "It is paused, so nobody takes over by itself: `portiere ha resume` where it was paused, or "
    "`portiere ha failover`, here."
)
NOTHING_SEEN = Trouble("The node of this machine has written nothing down.", _START)

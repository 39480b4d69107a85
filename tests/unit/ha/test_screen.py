"""What a person sees of the two machines: who leads, what would be lost, what to do."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import steady
from app.ha import screen, troubles
from app.ha.journal import Entry, Journal, Past, State
from app.ha.paused import Pause
from app.ha.view import View
from app.ha.words import spell
from app.leading import Role, Standing
from tests.support.ha_views import lease, of_leader, of_standby, report

MOST_LAG = timedelta(seconds=5)
PAUSE = Pause(by="cli:anna", reason="the electrician is here")


def a_while_ago() -> datetime:
    """Nine minutes before it is asked: a long run of tests imports this file long before."""
    return datetime.now(UTC) - timedelta(minutes=9)


def holding() -> View:
    """What mac sees once its lease is over, and nobody is known to have it."""
    return of_leader(
        standing=Standing(Role.LEADER, 7, "mac", steady.now() - 1),
        authority_by=None,
        authority_since=a_while_ago(),
        lag=None,
    )


def shown(view: View, pause: Pause | None = None, runs: Sequence[Past] = ()) -> str:
    wrong = troubles.troubles(
        view, MOST_LAG, runs[0] if runs else None, is_paused=pause is not None
    )
    found = list(screen.lines(view, pause, runs, wrong))
    assert max(len(line) for line in found) <= screen.WIDTH
    assert len(found) <= 40
    return " ".join(" ".join(found).split())


@pytest.mark.parametrize(
    ("view", "parts"),
    [
        (
            of_leader,
            [
                "all is well",
                "leader mac (here) since",
                "(3 d), term 7, by switchover",
                "authority reached by the link",
                "standby vps, ready to lead; heard of 1.0 s ago",
                "copy 0.3 s and 2 transactions behind on vps",
                "at risk nothing; what was sent in the last 0.3 s",
                "spooled mac none, vps none",
                "redis mac primary, vps replica",
            ],
        ),
        (
            of_standby,
            [
                "all is well",
                "leader mac, term 7",
                "free in 27 s",
                "standby vps (here), ready to lead; mac heard of",
                "redis vps replica, mac primary",
            ],
        ),
        (
            lambda: of_leader(
                lease=lease("vps", report(Role.STANDBY), age=300.0), lag=None, alone=7
            ),
            [
                "2 WRONG",
                "standby vps, NOT HEARD OF for 5 min",
                "at risk 7 EVENTS are on mac alone",
                "if mac fails now, nobody steps in",
                "See that vps has power",
            ],
        ),
        (
            lambda: of_standby(
                lease=lease("mac", report(Role.LEADER, alone=3), age=40.0, free_in=0.0), spooled=12
            ),
            [
                "2 WRONG",
                "leader NOBODY",
                "3 EVENTS are on mac alone",
                "mac NOT HEARD OF for 40 s",
                "spooled vps 12",
                "Nobody leads",
                "`portiere ha failover --force`, here",
            ],
        ),
        (
            holding,
            [
                "HOLDING: it accepts and doesn't answer",
                "lease OVER; authority NOT REACHED since",
                "vps, NOT HEARD OF for 9 min",
                "Only if vps is off for certain: `portiere ha failover --force`, on mac.",
            ],
        ),
        (
            lambda: of_leader(authority_by=None, authority_since=a_while_ago(), lag=None),
            ["the cloud API on the VPS) is reached by no way since", "nobody steps in"],
        ),
        (
            lambda: of_leader(lease=lease("vps", report(Role.STANDBY), age=300.0), lag=None),
            ["WHAT IS ACCEPTED NOW is on mac alone"],
        ),
        (lambda: of_leader(authority_by="public"), ["The private link doesn't carry"]),
        (lambda: of_leader(lag=90.0), ["The copy on vps is 90 s behind"]),
        (
            lambda: of_leader(lease=lease("vps", report(Role.STANDBY, is_ready=False))),
            ["vps, NOT READY to lead", "`portiere ha status` on vps says what it lacks"],
        ),
        (
            lambda: of_standby(follows=False, is_ready=False),
            ["copies nothing", "`portiere ha rejoin`"],
        ),
        (lambda: of_leader(redis="away"), ["Redis on mac is away and should be primary"]),
        (
            lambda: of_leader(damage="3 pages are not what was written"),
            ["The database on mac was damaged again", "portiere ha switchover --to vps"],
        ),
        (
            lambda: of_leader(
                damage="it can't be read", standing=Standing(Role.HANDING_OVER, 7, "mac")
            ),
            ["no good copy is reached", "docs/corruption.md"],
        ),
        (
            lambda: of_leader(lease=lease("vps", report(Role.STANDBY, spooled=40))),
            ["40 events wait in a spool", "vps 40"],
        ),
        (lambda: of_leader(provider_reachable=False), ["mac doesn't reach the provider"]),
        (
            lambda: of_leader(lease=lease("vps", report(Role.LEADER, term=8))),
            ["vps says that it leads too, in term 8"],
        ),
        (
            lambda: of_leader(
                lease=lease("vps", report(Role.STANDBY, paused=True, doing="follow"))
            ),
            ["PAUSED by vps: `portiere ha resume`, there", "vps: follow"],
        ),
        (lambda: of_leader(standing=Standing(Role.LEADER, 7, "mac")), ["without end"]),
        (
            lambda: of_leader(lease=lease("vps", report(Role.STANDBY, wants_lead=True))),
            ["vps, ready to lead, and about to"],
        ),
    ],
)
def test_the_screen_says_how_it_is_and_what_to_do(
    view: Callable[[], View], parts: list[str]
) -> None:
    found = shown(view())
    for part in parts:
        assert part in found


def test_a_pause_is_shown_loudly_and_is_nothing_wrong() -> None:
    found = shown(of_leader(), PAUSE)
    assert "all is well; PAUSED" in found
    assert "by cli:anna: the electrician is here" in found


def test_when_nobody_leads_and_it_is_paused_that_is_why() -> None:
    found = shown(of_standby(lease=lease("mac", report(Role.LEADER), age=40.0, free_in=0.0)), PAUSE)
    assert "It is paused, so nobody takes over by itself: `portiere ha resume`" in found


def test_the_last_changes_are_shown_with_what_each_step_took(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for procedure, steps in (("takeover", 8), ("follow", 1), ("switchover", 7)):
        run = journal.run(procedure, 6)
        for number in range(1, steps + 1):
            with run.step(number, f"do the thing of number {number}"):
                pass
    found = shown(of_leader(), runs=journal.runs(9))
    assert found.index("switchover, term 6") < found.index("takeover, term 6")
    assert re.search(r"8 do the thing of number 8 \d", found)
    assert "follow" not in found


def test_a_change_that_failed_is_wrong_until_one_works(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(OSError, match="no way"), journal.run("switchover", 7).step(4, "replicate"):
        raise OSError("no way")
    found = shown(of_leader(), runs=journal.runs(9))
    assert "FAILED at step 4" in found
    assert "The last switchover failed at step 4, replicate (OSError: no way)." in found
    with journal.run("switchover", 7).step(4, "replicate"):
        pass
    assert "all is well" in shown(of_leader(), runs=journal.runs(9))


def test_a_node_within_a_step_writes_no_view_and_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, journal = of_standby(), Journal(tmp_path / "journal.jsonl")
    with journal.run("takeover", 8).step(2, "restore what was replicated"):
        later = steady.now() + 60
        monkeypatch.setattr(steady, "now", lambda: later)
        last = journal.entries()[-1]
        assert troubles.unseen(view, last) is None
        found = shown(view, runs=journal.runs(9))
        assert "doing takeover, step 2: restore what was replicated, for 60 s" in found
        monkeypatch.setattr(steady, "now", lambda: later + 3600)
        assert troubles.unseen(view, last) is not None


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (lambda: of_leader(steady_at=steady.now() - 600), "10 min old"),
        (lambda: of_leader(boot="another"), "before this"),
    ],
)
def test_an_old_view_is_said_to_be_old(view: Callable[[], View], says: str) -> None:
    found = troubles.unseen(view(), None)
    assert found is not None
    assert says in found.what
    assert "Start it" in found.remedy


def test_a_step_of_an_earlier_boot_is_no_sign_of_life() -> None:
    last = Entry(
        at=datetime.now(UTC),
        steady_at=steady.now(),
        boot="another",
        procedure="takeover",
        run="r",
        term=1,
        step=1,
        name="n",
        state=State.BEGAN,
    )
    assert troubles.unseen(of_leader(steady_at=steady.now() - 600), last) is not None
    assert troubles.unseen(None, last) is troubles.NOTHING_SEEN


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0.0 s"), (0.04, "0.04 s"), (4.12, "4.1 s"), (41, "41 s"), (150, "2 min"), (9e4, "25 h")],
)
def test_durations_are_spelt_shortly(seconds: float, words: str) -> None:
    assert spell(timedelta(seconds=seconds)) == words


VIEWS = st.builds(
    lambda make, role, left, **given: make(
        standing=Standing(role, 7, "mac", None if left is None else steady.now() + left), **given
    ),
    st.sampled_from([of_leader, of_standby]),
    st.sampled_from(Role),
    st.none() | st.floats(-50, 50),
    authority_by=st.sampled_from([None, "link", "public"]),
    authority_since=st.none() | st.builds(a_while_ago),
    lag=st.none() | st.floats(0, 1e6),
    lag_rows=st.none() | st.integers(0, 10**6),
    alone=st.integers(0, 10**6),
    spooled=st.integers(0, 10**6),
    redis=st.sampled_from(["primary", "replica", "away", "unknown"]),
    follows=st.booleans(),
    is_ready=st.booleans(),
    doing=st.none() | st.just("take_over"),
    lease=st.none()
    | st.builds(
        lambda peer, role, age, free: lease(peer, report(role), age=age, free_in=free),
        st.sampled_from(["mac", "vps"]),
        st.sampled_from(Role),
        st.floats(0, 1e5),
        st.sampled_from([0.0, 20.0]),
    ),
)


@settings(deadline=None)
@given(VIEWS, st.none() | st.just(PAUSE))
def test_whatever_a_node_sees_fits_the_screen_and_has_a_remedy(
    view: View, pause: Pause | None
) -> None:
    shown(view, pause)
    wrong = troubles.troubles(view, MOST_LAG, None, is_paused=pause is not None)
    assert all(one.what and one.remedy for one in wrong)
    if view.leader is None or view.holds:
        assert wrong

"""What a node does next, by how things stand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ha.deciding import Move, Replacement, Situation, Told, decide
from app.leading import Role

STANDBY = Situation(
    node="vps",
    role=Role.STANDBY,
    held=None,
    data=None,
    copy=7,
    following=7,
    opened=False,
    preferred=False,
    paused=False,
    other_may=False,
    told=Told(holder="mac", term=7, begun=7, is_free=False),
)
LEADER = Situation(
    node="mac",
    role=Role.LEADER,
    held=7,
    data=7,
    copy=None,
    following=None,
    opened=True,
    preferred=True,
    paused=False,
    other_may=False,
    told=Told(holder="mac", term=7, begun=7, is_free=False),
)
FREE = Told(holder="mac", term=7, begun=7, is_free=True)


@pytest.mark.parametrize(
    ("situation", "move"),
    [
        (STANDBY, Move.STAY),
        (replace(STANDBY, told=None), Move.STAY),
        (replace(STANDBY, following=6, copy=6), Move.FOLLOW),
        (replace(STANDBY, told=FREE), Move.ACQUIRE),
        # It has no copy of what was last led with: to lead would lose what is in there.
        (replace(STANDBY, told=FREE, copy=6, following=7), Move.STAY),
        (replace(STANDBY, told=FREE, paused=True), Move.STAY),
        # The other was granted a term and never began it: what we follow is still the newest.
        (replace(STANDBY, told=Told("mac", 8, 7, is_free=True)), Move.ACQUIRE),
        (replace(STANDBY, told=Told("vps", 8, 7, is_free=False)), Move.RECLAIM),
        (replace(STANDBY, held=8), Move.TAKE_OVER),
        (replace(STANDBY, held=8, data=8), Move.OPEN),
        (replace(STANDBY, data=6, following=None, copy=None), Move.SET_ASIDE),
        # Its own database is the newest there is: it keeps it until the other really leads.
        (replace(STANDBY, data=7, told=Told("mac", 8, 7, is_free=False)), Move.STAY),
        (replace(STANDBY, data=7, told=Told("mac", 8, 7, is_free=True)), Move.ACQUIRE),
        (replace(STANDBY, data=7, told=Told("mac", 8, 8, is_free=False)), Move.SET_ASIDE),
        (LEADER, Move.STAY),
        (replace(LEADER, told=None), Move.STAY),
        (replace(LEADER, opened=False), Move.OPEN),
        (replace(LEADER, other_may=True), Move.SWITCH_OVER),
        (replace(LEADER, role=Role.HANDING_OVER, opened=False), Move.OPEN),
        (replace(LEADER, held=None), Move.STEP_DOWN),
        (replace(LEADER, held=None, told=None), Move.STEP_DOWN),
        (replace(LEADER, held=None, role=Role.HANDING_OVER), Move.STEP_DOWN),
        # Its disk was lost: it must not hold on to a term that it has nothing of.
        (replace(LEADER, role=Role.STANDBY, held=None, data=None, following=7), Move.STAY),
        (replace(LEADER, role=Role.STANDBY, held=None, data=None), Move.FOLLOW),
        # With a copy it may lead in the next term, not in this one.
        (replace(LEADER, role=Role.STANDBY, held=None, data=None, copy=7, following=7), Move.STAY),
        (
            replace(LEADER, role=Role.STANDBY, held=None, data=None, copy=7, told=FREE),
            Move.ACQUIRE,
        ),
    ],
)
def test_what_is_done(situation: Situation, move: Move) -> None:
    assert decide(situation) is move


FIRST = Told(holder=None, term=0, begun=0, is_free=True)


def test_the_preferred_one_begins() -> None:
    fresh = replace(STANDBY, copy=None, following=None, told=FIRST)
    assert decide(fresh) is Move.STAY
    assert decide(replace(fresh, preferred=True)) is Move.ACQUIRE
    assert decide(replace(fresh, preferred=True, data=0)) is Move.ACQUIRE


WANTED, FORCED = Replacement.WANTED, Replacement.FORCED


@pytest.mark.parametrize(
    ("situation", "move"),
    [
        (replace(LEADER, replacement=WANTED), Move.REPLACE),
        # It was killed meanwhile: it goes on only where nobody else may lead.
        (replace(STANDBY, replacement=WANTED, told=None), Move.STAY),
        (replace(STANDBY, replacement=WANTED), Move.GIVE_UP),
        (replace(STANDBY, replacement=WANTED, told=FREE), Move.REPLACE),
        (replace(STANDBY, replacement=WANTED, told=FIRST), Move.REPLACE),
        # A person said that nobody else leads.
        (replace(STANDBY, replacement=FORCED), Move.REPLACE),
        (replace(STANDBY, replacement=FORCED, told=None), Move.REPLACE),
    ],
)
def test_a_database_is_replaced_where_nobody_else_leads(situation: Situation, move: Move) -> None:
    assert decide(situation) is move


TERMS = st.integers(0, 4)
TOLD = st.builds(
    Told,
    holder=st.sampled_from([None, "mac", "vps"]),
    term=TERMS,
    begun=TERMS,
    is_free=st.booleans(),
)
ANY = st.builds(
    Situation,
    node=st.sampled_from(["mac", "vps"]),
    role=st.sampled_from(Role),
    held=st.none() | TERMS,
    data=st.none() | TERMS,
    copy=st.none() | TERMS,
    following=st.none() | TERMS,
    opened=st.booleans(),
    preferred=st.booleans(),
    paused=st.booleans(),
    other_may=st.booleans(),
    told=st.none() | TOLD,
    replacement=st.sampled_from(Replacement),
)


@given(ANY)
def test_nothing_is_ever_led_with_but_what_was_last_begun(now: Situation) -> None:
    move = decide(now)
    if move is Move.ACQUIRE:
        assert now.told is not None
        assert now.told.is_free
        assert now.told.begun in (now.data, now.copy) or (now.told.begun == 0 and now.preferred)
    if move is Move.RECLAIM:
        assert now.told is not None
        assert max(now.data or 0, now.copy or 0) >= now.told.begun
        if now.told.term == now.told.begun:
            assert (now.data or 0) >= now.told.begun
    if move is Move.OPEN:
        assert now.held is not None
        assert now.held == now.data
    if move is Move.SET_ASIDE:
        assert now.told is not None
        assert now.data is not None
        assert now.data < now.told.begun
    if now.held is None:
        assert move not in {Move.OPEN, Move.TAKE_OVER, Move.SWITCH_OVER}

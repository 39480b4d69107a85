"""Who may lead: each wish, before and after the authority's start, and over restored backups."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.leading import Role
from app.lease import Wish
from cloud_jobs.exchange import audit
from cloud_jobs.exchange.authority import ReplacedError
from cloud_jobs.store.database import Store
from tests.support.cloud_layer import NewUrl
from tests.support.leases import GRACE, MAC, TTL, VPS, Keeper

LEADS = Role.LEADER


@pytest.fixture
def store(new_url: NewUrl) -> Iterator[Store]:
    found = Store(new_url())
    yield found
    found.close()


@pytest.fixture
def keeper(store: Store) -> Keeper:
    """Nobody ever led; both nodes were heard."""
    made = Keeper(store)
    made.ask(MAC, Wish.REPORT)
    made.ask(VPS, Wish.REPORT)
    return made


@pytest.fixture
def led(keeper: Keeper) -> Keeper:
    """The Mac leads, in term 1."""
    assert keeper.ask(MAC, Wish.ACQUIRE).held
    assert keeper.ask(MAC, Wish.HOLD, 1, role=LEADS).held
    return keeper


def test_where_nobody_ever_led_the_first_who_asks_leads(keeper: Keeper) -> None:
    answer = keeper.ask(MAC, Wish.ACQUIRE)
    assert (answer.held, answer.holder, answer.term) == (True, MAC, 1)
    assert (answer.ttl, answer.free_in, answer.begun) == (TTL, TTL, 0)


def test_an_empty_store_may_be_a_lost_one_so_who_is_alone_waits(store: Store) -> None:
    keeper = Keeper(store)
    answer = keeper.ask(VPS, Wish.ACQUIRE)
    assert (answer.held, answer.holder, answer.free_in) == (False, None, TTL)
    keeper.now = TTL
    answer = keeper.ask(VPS, Wish.ACQUIRE)
    assert answer.held
    assert answer.term > 1_000_000  # what the lost one gave can't be known


def test_the_holder_renews_and_nobody_else_gets_in(led: Keeper) -> None:
    for _ in range(10):
        led.now += TTL - 1
        refused = led.ask(VPS, Wish.ACQUIRE, 1)
        assert (refused.held, refused.holder, refused.free_in) == (False, MAC, 1)
        assert led.ask(MAC, Wish.HOLD, 1).held
    assert not led.ask(VPS, Wish.HOLD, 1).held
    assert led.ask(VPS, Wish.REPORT, 1).term == 1


def test_when_its_time_is_over_the_other_may_take_the_next_term(led: Keeper) -> None:
    led.now += TTL
    assert led.ask(VPS, Wish.REPORT, 1).free_in == 0
    taken = led.ask(VPS, Wish.ACQUIRE, 1)
    assert (taken.held, taken.term) == (True, 2)
    late = led.ask(MAC, Wish.HOLD, 1)
    assert (late.held, late.holder, late.term) == (False, VPS, 2)


def test_a_holder_that_is_late_goes_on_if_nobody_took_over(led: Keeper) -> None:
    led.now += 10 * TTL
    assert led.ask(MAC, Wish.HOLD, 1, lapsed=True).held


def test_a_grant_is_higher_than_every_term_that_was_ever_named(led: Keeper) -> None:
    led.ask(VPS, Wish.REPORT, 7)
    led.now += TTL
    assert led.ask(MAC, Wish.ACQUIRE, 1).term == 8


def test_who_never_heard_of_its_grant_asks_again(keeper: Keeper) -> None:
    keeper.ask(MAC, Wish.ACQUIRE)
    keeper.now += 5
    again = keeper.ask(MAC, Wish.ACQUIRE)
    assert (again.held, again.term, again.free_in) == (True, 1, TTL)
    # Who knows of it and asks all the same wants another.
    assert not keeper.ask(MAC, Wish.ACQUIRE, 1).held


def test_giving_lets_the_other_lead_for_a_ttl(led: Keeper) -> None:
    given = led.ask(MAC, Wish.GIVE, 1, to=VPS)
    assert (given.held, given.holder, given.term, given.free_in) == (False, VPS, 2, TTL)
    again = led.ask(MAC, Wish.GIVE, 1, to=VPS)
    assert (again.held, again.holder, again.term) == (False, VPS, 2)
    assert led.ask(VPS, Wish.HOLD, 2).held


def test_only_the_holder_gives(led: Keeper) -> None:
    answer = led.ask(VPS, Wish.GIVE, 1, to=MAC)
    assert (answer.held, answer.holder, answer.term) == (False, MAC, 1)


def test_force_asks_nobody(led: Keeper) -> None:
    forced = led.ask(VPS, Wish.FORCE, 1)
    assert (forced.held, forced.holder, forced.term) == (True, VPS, 2)
    assert not led.ask(MAC, Wish.HOLD, 1).held


def test_what_was_begun_is_the_last_term_that_a_holder_led_in(led: Keeper) -> None:
    led.now += TTL
    assert led.ask(VPS, Wish.ACQUIRE, 1).begun == 1
    assert led.ask(VPS, Wish.HOLD, 2).begun == 1
    assert led.ask(VPS, Wish.HOLD, 2, role=LEADS).begun == 2
    led.restart()
    assert led.ask(MAC, Wish.REPORT, 1).begun == 2


def test_after_a_start_the_holder_goes_on_and_the_other_waits_longer(led: Keeper) -> None:
    led.restart()
    assert not led.ask(VPS, Wish.ACQUIRE, 1).held
    assert led.ask(VPS, Wish.REPORT, 1).free_in == TTL + GRACE
    led.now += TTL + GRACE - 1
    assert not led.ask(VPS, Wish.ACQUIRE, 1).held
    assert led.ask(MAC, Wish.HOLD, 1, lapsed=True).held


def test_after_a_start_the_other_takes_over_if_the_holder_stays_away(led: Keeper) -> None:
    led.restart()
    led.now += TTL + GRACE
    taken = led.ask(VPS, Wish.ACQUIRE, 1)
    assert taken.held
    assert taken.term > 1_000_000  # nobody else was heard: the store may be an old one


def test_after_a_start_who_lost_the_lease_waits_but_for_the_others_word(led: Keeper) -> None:
    led.restart()
    assert not led.ask(MAC, Wish.HOLD, 1, lapsed=True).held
    assert not led.ask(MAC, Wish.GIVE, 1, lapsed=True, to=VPS).held
    led.ask(VPS, Wish.REPORT, 2)  # it knows of a newer one
    assert not led.ask(MAC, Wish.HOLD, 1, lapsed=True).held
    led.restart()
    led.ask(VPS, Wish.REPORT, 1)
    assert led.ask(MAC, Wish.HOLD, 1, lapsed=True).held


def test_a_leader_of_a_newer_term_goes_on_over_a_restored_backup(led: Keeper) -> None:
    backup = led.row()
    led.ask(MAC, Wish.GIVE, 1, to=VPS)
    led.ask(VPS, Wish.HOLD, 2, role=LEADS)
    led.put(backup)
    led.restart()
    assert led.ask(MAC, Wish.REPORT, 2).term == 1
    held = led.ask(VPS, Wish.HOLD, 2, role=LEADS)
    assert (held.held, held.holder, held.term, held.begun) == (True, VPS, 2, 2)


def test_a_newer_term_that_lapsed_waits_over_a_restored_backup(led: Keeper) -> None:
    """The Mac led in 3, the VPS does in 4; of both the backup knows nothing."""
    backup = led.row()
    led.ask(MAC, Wish.GIVE, 1, to=VPS)
    led.ask(VPS, Wish.GIVE, 2, to=MAC)
    led.ask(MAC, Wish.HOLD, 3, role=LEADS)
    led.now += TTL
    assert led.ask(VPS, Wish.ACQUIRE, 3).term == 4
    led.put(backup)
    led.restart()
    assert not led.ask(MAC, Wish.HOLD, 3, lapsed=True, role=LEADS).held
    assert led.ask(VPS, Wish.HOLD, 4, role=LEADS).held


def test_what_a_lost_store_gave_is_not_given_twice(led: Keeper) -> None:
    backup = led.row()
    led.ask(MAC, Wish.GIVE, 1, to=VPS)  # of which the Mac never heard
    led.put(backup)
    led.restart()
    led.now += TTL + GRACE
    taken = led.ask(MAC, Wish.ACQUIRE, 1)
    assert taken.held
    assert taken.term != 2
    assert led.ask(VPS, Wish.HOLD, 2).holder == MAC


def test_nor_is_it_handed_on_by_who_knows_of_nothing(led: Keeper) -> None:
    """The VPS took over, the store is restored, and the Mac, whose time is not over, gives."""
    backup = led.row()
    led.now += TTL
    assert led.ask(VPS, Wish.ACQUIRE, 1).term == 2
    led.put(backup)
    led.restart()
    given = led.ask(MAC, Wish.GIVE, 1, to=VPS)
    assert given.holder == VPS
    assert given.term > 2


def test_a_newer_term_waits_for_the_holders_time_to_be_over(led: Keeper) -> None:
    """A person had the VPS lead while the authority was away, and the Mac was not off."""
    led.restart()
    assert led.ask(MAC, Wish.HOLD, 1).held
    led.now += 10
    claimed = led.ask(VPS, Wish.HOLD, 1000, role=LEADS)
    assert (claimed.held, claimed.holder, claimed.term) == (False, MAC, 1)
    assert not led.ask(MAC, Wish.HOLD, 1).held  # revoked
    led.now += TTL - 11
    assert not led.ask(VPS, Wish.HOLD, 1000, role=LEADS).held
    led.now += 1
    assert not led.ask(MAC, Wish.ACQUIRE, 1).held
    assert led.ask(VPS, Wish.HOLD, 1000, role=LEADS).held


def test_who_claimed_a_newer_term_and_went_away_blocks_nobody_for_ever(led: Keeper) -> None:
    led.ask(VPS, Wish.HOLD, 1000)
    led.now += TTL
    assert led.ask(MAC, Wish.HOLD, 1).held


def test_the_store_was_replaced_under_the_process(led: Keeper) -> None:
    backup = led.row()
    led.now += TTL
    led.ask(VPS, Wish.ACQUIRE, 1)
    led.put(backup)
    answer = led.ask(MAC, Wish.ACQUIRE, 2)
    assert (answer.held, answer.free_in) == (False, TTL + GRACE)


class OvertakenStore(Store):
    """A store into which another process writes just before this one does."""

    overtake: Callable[[], object]

    @contextmanager
    def writing(self, **options: Any) -> Iterator[Session]:
        """See :class:`Store`."""
        self.overtake()
        with super().writing(**options) as session:
            yield session


def test_two_processes_over_one_store_grant_no_term_twice(led: Keeper, store: Store) -> None:
    slow = OvertakenStore(store.engine.url.render_as_string(hide_password=False))
    slow.overtake = lambda: led.ask(MAC, Wish.FORCE, 1)
    with pytest.raises(ReplacedError):
        Keeper(slow).ask(VPS, Wish.FORCE, 1)
    assert led.ask(VPS, Wish.REPORT, 1).holder == MAC
    slow.close()


def test_each_change_of_the_term_is_in_the_audit(led: Keeper, store: Store) -> None:
    led.ask(MAC, Wish.HOLD, 1)
    led.ask(MAC, Wish.GIVE, 1, to=VPS)
    with store.reading() as session:
        found = audit.entries(session, datetime(2026, 1, 1, tzinfo=UTC))
    told = [(one.actor, one.action, one.target) for one in found]
    assert told == [
        (MAC, "lease.acquire", "term 1 of mac"),
        (MAC, "lease.give", "term 2 of vps"),
    ]


def test_every_answer_has_what_both_nodes_told_last_and_how_long_ago(led: Keeper) -> None:
    led.now += 3
    nodes = led.ask(VPS, Wish.REPORT, 1).nodes
    assert {name: seen.age for name, seen in nodes.items()} == {MAC: 3, VPS: 0}
    assert nodes[MAC].report.role is LEADS
    since = led.authority.view().since
    assert since is not None
    assert since.year == 2026

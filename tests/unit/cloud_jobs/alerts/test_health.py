"""Somebody is down after two minutes without a sign and up after two signs; never by one look."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cloud_jobs.alerts.health import DOWN_AFTER, MISSES, SIGNS, Health, Watch, judge

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def after(looks: str, gap: timedelta = MINUTE) -> Watch:
    """What is known after looks with a sign (+) or none (-), a minute apart."""
    watch = Watch(Health.UNKNOWN, NOW)
    for number, look in enumerate(looks):
        watch = judge(watch, heard=look == "+", now=NOW + number * gap)
    return watch


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ("", Health.UNKNOWN),
        ("------------", Health.UNKNOWN),
        ("+", Health.UP),
        ("--+", Health.UP),
        ("+-", Health.UP),
        ("+--", Health.DOWN),
        ("+-+-+-", Health.UP),
        ("+--+", Health.DOWN),
        ("+--+-+-+", Health.DOWN),
        ("+--++", Health.UP),
        ("+--++--", Health.DOWN),
    ],
)
def test_after_these_looks(looks: str, expected: Health) -> None:
    assert after(looks).health is expected


def test_looks_that_are_nearer_to_each_other_bring_it_down_no_sooner() -> None:
    assert after("+" + "-" * 7, timedelta(seconds=15)).health is Health.UP
    assert after("+" + "-" * 8, timedelta(seconds=15)).health is Health.DOWN


def test_one_look_after_a_rest_of_our_own_is_not_enough() -> None:
    rested = judge(after("++"), heard=False, now=NOW + timedelta(hours=3))
    assert rested.health is Health.UP
    assert judge(rested, heard=False, now=NOW + timedelta(hours=3) + MINUTE).health is Health.DOWN


LOOKS = st.lists(st.tuples(st.booleans(), st.integers(1, 400)), max_size=40)


@hypothesis_settings(deadline=None)
@given(looks=LOOKS)
def test_whatever_the_signs(looks: list[tuple[bool, int]]) -> None:
    watch, now, heard_at = Watch(Health.UNKNOWN, NOW), NOW, None
    for heard, seconds in looks:
        before, now = watch, now + timedelta(seconds=seconds)
        heard_at = now if heard else heard_at
        watch = judge(before, heard=heard, now=now)
        assert watch.heard_at == heard_at
        assert (watch.health is Health.UNKNOWN) is (heard_at is None)
        if watch.health is before.health:
            assert watch.since == before.since
            continue
        assert watch.since == now
        if watch.health is Health.DOWN:
            assert not heard
            assert heard_at is not None
            assert now - heard_at >= DOWN_AFTER
            assert watch.missed >= MISSES
        elif before.health is Health.DOWN:
            assert watch.signs >= SIGNS

"""Of a key there is one open alert; it is told once, and that it is over; many are told in one."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_jobs.alerts.raising import FLOOD, FLOOD_TIME, raise_alert, resolve
from cloud_jobs.store.alerts import Alert, AlertDelivery, Told, What
from tests.support.cloud_layer import Layer
from tests.unit.cloud_jobs.conftest import MakeLayer

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MAIL = {
    "alert_email_to": ["desk@example.invalid"],
    "alert_email_from": "portiere@example.invalid",
    "mail_host": "127.0.0.1",
    "alert_by_desk": "none",
}
SLACK = {"alert_slack_url": "https://hooks.slack.example.invalid/services/T0/B0/x"}


def wrong(layer: Layer, key: str = "job:a", *, now: datetime = NOW, **given: Any) -> bool:
    given = {"kind": "job_failed", "text": f"{key} failed"} | given
    with layer.store.writing() as session:
        return raise_alert(session, layer.seal, layer.settings, key=key, now=now, **given)


def over(layer: Layer, key: str = "job:a", now: datetime = NOW) -> bool:
    with layer.store.writing() as session:
        return resolve(session, key=key, now=now)


def told(layer: Layer) -> list[tuple[str, str, str, str]]:
    """(key, what, channel, state) of each delivery, in order."""
    with layer.store.reading() as session:
        rows = session.execute(
            select(Alert.key, AlertDelivery.what, AlertDelivery.channel, AlertDelivery.state)
            .join(Alert, Alert.seq == AlertDelivery.alert)
            .order_by(AlertDelivery.seq)
        )
        return [(key, what, channel, state) for key, what, channel, state in rows]


def test_what_is_found_again_counts_and_is_told_once(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    assert [wrong(made), wrong(made, text="job:a failed otherwise"), wrong(made)] == [
        True,
        False,
        False,
    ]
    assert told(made) == [("job:a", "raised", "email", "pending")]
    with made.store.reading() as session:
        assert session.scalars(select(Alert.times)).one() == 3


def test_the_newest_words_are_kept_and_only_sealed(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    wrong(made, text="first error")
    wrong(made, text="last error")
    assert made.alerts() == [("job_failed", "last error")]
    with made.store.reading() as session:
        assert b"error" not in session.scalars(select(Alert.text)).one()


def test_what_is_over_is_told_once_to_whom_the_alert_was(layer: MakeLayer) -> None:
    made = layer(**MAIL | SLACK)
    assert not over(made)
    wrong(made)
    assert [over(made), over(made)] == [True, False]
    assert [(what, channel) for _, what, channel, _ in told(made)] == [
        ("raised", "slack"),
        ("raised", "email"),
        ("resolved", "slack"),
        ("resolved", "email"),
    ]
    assert made.alerts() == []


def test_what_comes_back_is_told_anew(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    wrong(made)
    over(made)
    assert wrong(made)
    assert [what for _, what, *_ in told(made)] == ["raised", "resolved", "raised"]


def test_only_the_urgent_wake_the_phones_unless_the_host_wants_all(layer: MakeLayer) -> None:
    urgent_only = layer()
    wrong(urgent_only, "job:a")
    wrong(urgent_only, "job:b", urgent=True)
    assert [(key, channel) for key, _, channel, _ in told(urgent_only)] == [("job:b", "whatsapp")]
    every = layer(alert_by_desk="all")
    wrong(every, "job:a")
    assert [channel for _, _, channel, _ in told(every)] == ["whatsapp"]


def test_that_the_desk_is_down_is_not_for_the_desk_to_tell(layer: MakeLayer) -> None:
    made = layer(alert_by_desk="all", **SLACK)
    wrong(made, "desk", kind="desk_down", urgent=True)
    assert [channel for _, _, channel, _ in told(made)] == ["slack"]


def test_of_many_at_once_the_rest_is_kept_back_and_told_in_one(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    for number in range(FLOOD + 5):
        wrong(made, f"job:{number}")
    states = [state for _, _, _, state in told(made)]
    assert states.count(Told.WITHHELD) == 5
    assert ("flood", What.RAISED, "email", Told.PENDING) in told(made)
    with made.store.reading() as session:
        assert session.scalars(select(Alert.times).where(Alert.key == "flood")).one() == 5
    assert over(made, f"job:{FLOOD + 1}")  # was never told of, so neither is this
    assert (f"job:{FLOOD + 1}", "resolved", "email", "pending") not in told(made)


def test_an_urgent_alert_is_never_kept_back(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    for number in range(FLOOD + 1):
        wrong(made, f"job:{number}")
    wrong(made, "desk", urgent=True)
    assert ("desk", "raised", "email", "pending") in told(made)


def test_an_hour_later_it_is_no_flood_any_more(layer: MakeLayer) -> None:
    made = layer(**MAIL)
    for number in range(FLOOD):
        wrong(made, f"job:{number}")
    wrong(made, "job:late", now=NOW + FLOOD_TIME)
    assert told(made)[-1] == ("job:late", "raised", "email", "pending")


@pytest.fixture
def by_mail(layer: MakeLayer) -> Layer:
    return layer(**MAIL)


EXAMPLES = itertools.count()
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_each_key_is_told_in_turns(
    by_mail: Layer, steps: list[tuple[str, bool]]
) -> None:
    example = next(EXAMPLES)
    begins = NOW + example * timedelta(days=1)
    open_keys: set[str] = set()
    expected: list[tuple[str, str]] = []
    for number, (name, is_wrong) in enumerate(steps):
        key, now = f"{example}:{name}", begins + timedelta(minutes=10 * number)
        news = wrong(by_mail, key, now=now) if is_wrong else over(by_mail, key, now)
        assert news is (is_wrong is not (key in open_keys))
        if news:
            expected.append((key, "raised" if is_wrong else "resolved"))
        (open_keys.add if is_wrong else open_keys.discard)(key)
    found = [(key, what) for key, what, *_ in told(by_mail) if key.startswith(f"{example}:")]
    assert found == expected

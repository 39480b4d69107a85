"""Alerts of the cloud layer go out over real connections: Slack, a mail server, the desk."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from cloud_jobs.alerts.delivering import Alerting
from cloud_jobs.alerts.raising import FLOOD, raise_alert, resolve
from cloud_jobs.alerts.waiting import GIVEN_UP_AFTER
from cloud_jobs.store.alerts import Alert, AlertDelivery
from tests.support.cloud_layer import Layer, NewUrl
from tests.support.mail import Mailbox, mail_server
from tests.support.processes import eventually
from tests.support.scripted import Answer, Scripted
from tests.support.slack import HOOK, slack_server, texts

MakeLayer = Callable[..., Layer]
HOUR = timedelta(hours=1)


@pytest.fixture
def slack() -> Iterator[Scripted]:
    with slack_server() as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


@pytest.fixture
def layer(new_url: NewUrl) -> Iterator[MakeLayer]:
    made: list[Layer] = []

    def make(**overrides: Any) -> Layer:
        made.append(Layer.make(new_url, (), **{"alert_by_desk": "none"} | overrides))
        return made[-1]

    yield make
    for one in made:
        one.close()


def by_slack(slack: Scripted) -> dict[str, str]:
    return {"alert_slack_url": slack.url + HOOK}


def by_mail(mailbox: Mailbox) -> dict[str, Any]:
    return {
        "alert_email_to": ["desk@example.invalid"],
        "alert_email_from": "portiere@example.invalid",
        "mail_host": "127.0.0.1",
        "mail_port": mailbox.port,
        "mail_security": "none",
    }


def wrong(layer: Layer, key: str = "job:a", **given: Any) -> None:
    parts: dict[str, Any] = {"kind": "job_failed", "text": f"{key} failed"} | given
    with layer.store.writing() as session:
        raise_alert(session, layer.seal, layer.settings, key=key, now=datetime.now(UTC), **parts)


def over(layer: Layer, key: str = "job:a") -> None:
    with layer.store.writing() as session:
        resolve(session, key=key, now=datetime.now(UTC))


def deliver(layer: Layer) -> int:
    return Alerting(layer.settings, layer.store, layer.seal).deliver_due()


def deliveries(layer: Layer) -> list[AlertDelivery]:
    with layer.store.reading() as session:
        return list(session.scalars(select(AlertDelivery).order_by(AlertDelivery.seq)))


def states(layer: Layer) -> list[str]:
    return [one.state for one in deliveries(layer)]


def later(layer: Layer) -> None:
    """Let every wait be over."""
    with layer.store.writing() as session:
        session.execute(update(AlertDelivery).values(next_at=datetime.now(UTC)))


def test_an_alert_goes_by_every_way_and_so_does_that_it_is_over(
    layer: MakeLayer, slack: Scripted, mailbox: Mailbox
) -> None:
    made = layer(**by_slack(slack), **by_mail(mailbox))
    wrong(made)
    wrong(made)
    over(made)
    assert deliver(made) == 4
    assert texts(slack) == [
        "job:a failed (found 2 times)",
        "Over, after 1 min (found 2 times): job:a failed",
    ]
    first, second = (mailbox.taken.get_nowait()[1] for _ in range(2))
    assert (first["Subject"], second["Subject"]) == (
        "Portiere: job failed",
        "Portiere: over: job failed",
    )
    assert first["To"] == "desk@example.invalid"
    assert states(made) == ["sent"] * 4


def test_the_urgent_goes_first(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    wrong(made, "job:a")
    wrong(made, "desk", kind="desk_down", text="The desk is down", urgent=True)
    deliver(made)
    assert texts(slack) == ["The desk is down", "job:a failed"]


def test_what_slack_puts_off_is_tried_again_when_it_says(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    slack.answers += [Answer(429, b"rate_limited", {"Retry-After": "30"}), Answer(503, b"<html>")]
    wrong(made)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        deliver(made)
        assert deliveries(made)[0].next_at - datetime.now(UTC) >= timedelta(seconds=29)
        clock.shift(timedelta(seconds=29))
        assert deliver(made) == 0
        clock.shift(timedelta(seconds=2))
        assert deliver(made) == 1  # 503
        assert deliveries(made)[0].note == "Slack answered 503"
        clock.shift(timedelta(minutes=10))
        assert deliver(made) == 1
    assert states(made) == ["sent"]
    assert len(slack.asked) == 3


def test_what_slack_refuses_for_good_is_not_tried_again_and_the_mail_goes(
    layer: MakeLayer, slack: Scripted, mailbox: Mailbox
) -> None:
    made = layer(alert_slack_url=f"{slack.url}/services/T000/B000/wrong", **by_mail(mailbox))
    wrong(made)
    deliver(made)
    assert states(made) == ["failed", "sent"]
    assert deliveries(made)[0].note == "Slack refuses it: 403 invalid_token"
    later(made)
    assert deliver(made) == 0


def test_that_it_is_over_waits_until_the_alert_was_told(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    slack.answers.append(Answer(500, b""))
    wrong(made)
    over(made)
    deliver(made)
    assert states(made) == ["pending", "pending"]
    later(made)
    deliver(made)
    assert [text[:5] for text in texts(slack)] == ["job:a", "job:a", "Over,"]


def test_a_day_later_it_is_given_up_with_a_note(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    begun = datetime.now(UTC)
    wrong(made)
    with time_machine.travel(begun, tick=False) as clock:
        while states(made) == ["pending"]:
            slack.answers.append(Answer(500, b""))
            deliver(made)
            clock.shift(timedelta(minutes=30))
        tried = datetime.now(UTC) - begun
    assert GIVEN_UP_AFTER <= tried <= GIVEN_UP_AFTER + HOUR
    assert states(made) == ["failed"]
    assert deliveries(made)[0].note == "given up after a day: Slack answered 500"


def test_waits_grow_to_ten_minutes(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    wrong(made)
    waits = []
    with time_machine.travel(datetime.now(UTC), tick=False):
        for _ in range(11):
            slack.answers.append(Answer(500, b""))
            deliver(made)
            waits.append((deliveries(made)[0].next_at - datetime.now(UTC)).total_seconds())
            later(made)
    assert [round(wait) for wait in waits] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_the_desk_is_asked_once_to_tell_its_phones(layer: MakeLayer) -> None:
    made = layer(alert_by_desk="all")
    wrong(made)
    over(made)
    deliver(made)
    later(made)
    deliver(made)
    (first_name, first), (_, second) = made.commands()
    assert first_name == "ALERT_DESK"
    assert first == {
        "key": "cloud-alert-1-raised",
        "kind": "job_failed",
        "text": "job:a failed",
        "urgent": False,
        "channels": ["whatsapp"],
    }
    assert second["key"] == "cloud-alert-1-resolved"


def test_a_flood_is_told_in_two_words(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    for number in range(FLOOD + 7):
        wrong(made, f"job:{number}", kind="job_failed" if number % 2 else "desk_lagging")
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        deliver(made)
        assert len(slack.asked) == FLOOD + 1
        assert texts(slack)[-1].startswith(f"More than {FLOOD} alerts within an hour.")
        clock.shift(HOUR + timedelta(seconds=1))
        deliver(made)
        assert len(slack.asked) == FLOOD + 2
        assert texts(slack)[-1].endswith(
            "7 alerts were kept instead of sent: 4 desk lagging, 3 job failed"
        )
        assert deliver(made) == 0


def test_what_a_lost_key_sealed_is_put_aside_and_the_others_go(
    layer: MakeLayer, slack: Scripted
) -> None:
    made = layer(**by_slack(slack))
    wrong(made, "job:a")
    with made.store.writing() as session:
        session.execute(update(Alert).values(text=b"\x04lostxxxxxxxxxxxxxxxx"))
    wrong(made, "job:b")
    deliver(made)
    assert states(made) == ["failed", "sent"]
    assert texts(slack) == ["job:b failed"]


def test_the_thread_delivers(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    alerting = Alerting(made.settings, made.store, made.seal)
    alerting.start()
    try:
        wrong(made)
        eventually(lambda: states(made) == ["sent"], "the thread delivers")
    finally:
        alerting.stop()


def test_two_who_deliver_at_once_deliver_each_once(layer: MakeLayer, slack: Scripted) -> None:
    made = layer(**by_slack(slack))
    for number in range(FLOOD):
        wrong(made, f"job:{number}")
    both = [Alerting(made.settings, made.store, made.seal) for _ in range(2)]
    for one in both:
        one.start()
    try:
        eventually(lambda: states(made) == ["sent"] * FLOOD, "all are delivered")
    finally:
        for one in both:
            one.stop()
    assert len(set(texts(slack))) == len(slack.asked) == FLOOD

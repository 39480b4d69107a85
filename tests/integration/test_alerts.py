"""Alerts reach the desk over real connections: a mail server, and one that answers as Slack."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.messages.echoes import is_ours
from app.store.database import Row
from app.work.alerting import Alerting
from app.work.desk import Desk, make_desk
from tests.support.guest import write
from tests.support.mail import PASSWORD, USER, Mailbox, certificate, mail_server
from tests.support.processes import eventually, stack
from tests.support.scripted import Answer, Asked, Scripted, scripted
from tests.unit.work.conftest import GUEST, OTHER, message, outbox, settings

HOOK = "/services/T000/B000/invented-slack-secret"
Deliverer = Callable[..., tuple[Desk, Alerting]]


def as_slack_does(asked: Asked) -> Answer:
    """Slack's answers to an incoming webhook: plain words."""
    if asked.path != HOOK:
        return Answer(404, b"no_service")
    if not isinstance(asked.body, dict):
        return Answer(400, b"invalid_payload")
    if not isinstance(asked.body.get("text"), str) or not asked.body["text"]:
        return Answer(400, b"no_text")
    return Answer(200, b"ok")


@pytest.fixture
def slack() -> Iterator[Scripted]:
    with scripted(as_slack_does) as found:
        yield found


@pytest.fixture
def deliverer(tmp_path: Path) -> Iterator[Deliverer]:
    """Makes a desk and its alerting, of given settings."""
    made: list[Desk] = []

    def make(**given: object) -> tuple[Desk, Alerting]:
        found = settings(tmp_path, **given)
        made.append(make_desk(found))
        return made[-1], Alerting(found, made[-1])

    yield make
    for desk in made:
        desk.database.close()


def call(desk: Desk, text: str = "Ada Esempio: aiuto", *, urgent: bool = False) -> None:
    with desk.database.transaction() as connection:
        desk.alerts.raise_alert(
            connection,
            key=f"emergency:{text}",
            kind="emergency",
            guest=desk.seal.index(GUEST),
            text=text,
            urgent=urgent,
        )


def deliveries(desk: Desk) -> list[Row]:
    return desk.database.all("SELECT * FROM alert_deliveries ORDER BY id")


def states(desk: Desk) -> list[str]:
    return [str(row["state"]) for row in deliveries(desk)]


def wait_of(desk: Desk) -> timedelta:
    """How long the first delivery waits for its next attempt, from when it was made."""
    row = desk.database.one(
        "SELECT next_at - created_at AS ms FROM alert_deliveries "
        "JOIN alerts ON alerts.id = alert_id"
    )
    assert row is not None
    return timedelta(milliseconds=row["ms"])


def test_slack_is_told(deliverer: Deliverer, slack: Scripted) -> None:
    desk, alerting = deliverer(alert_slack_url=slack.url + HOOK)
    call(desk)
    assert alerting.deliver_due() == 1
    assert slack.asked[0].body == {"text": "Ada Esempio: aiuto"}
    assert slack.asked[0].headers["content-type"] == "application/json"
    assert states(desk) == ["sent"]
    assert alerting.deliver_due() == 0


def test_a_guests_words_call_nobody_else_on_slack(deliverer: Deliverer, slack: Scripted) -> None:
    desk, alerting = deliverer(alert_slack_url=slack.url + HOOK)
    call(desk, "«<!channel> <https://evil.example.invalid|la fattura> & altro»")
    alerting.deliver_due()
    assert "<" not in slack.asked[0].body["text"]
    assert "&amp; altro" in slack.asked[0].body["text"]


@pytest.mark.parametrize(
    ("answer", "at_least"),
    [
        (Answer(429, b"rate_limited", {"Retry-After": "30"}), timedelta(seconds=30)),
        (Answer(503, b"<html></html>"), timedelta(seconds=2)),
        (Answer(302, b"", {"Location": "http://127.0.0.1:9/"}), timedelta(seconds=2)),
        (Answer(None), timedelta(seconds=2)),
    ],
)
def test_what_slack_may_take_later_is_tried_later(
    deliverer: Deliverer, slack: Scripted, answer: Answer, at_least: timedelta
) -> None:
    desk, alerting = deliverer(alert_slack_url=slack.url + HOOK)
    slack.answers.append(answer)
    call(desk)
    alerting.deliver_due()
    assert states(desk) == ["pending"]
    assert at_least <= wait_of(desk) < at_least + timedelta(seconds=20)
    with desk.database.transaction() as connection:
        connection.execute("UPDATE alert_deliveries SET next_at = 0")
    alerting.deliver_due()
    assert states(desk) == ["sent"]


@pytest.mark.parametrize(
    ("status", "word"),
    [(403, "invalid_token"), (404, "channel_not_found"), (410, "channel_is_archived")],
)
def test_what_slack_never_takes_is_not_tried_again(
    deliverer: Deliverer, slack: Scripted, status: int, word: str
) -> None:
    desk, alerting = deliverer(alert_slack_url=slack.url + HOOK)
    slack.answers.append(Answer(status, word.encode()))
    call(desk)
    alerting.deliver_due()
    (row,) = deliveries(desk)
    assert row["state"] == "failed"
    assert word in row["note"]


def test_slack_that_is_not_there_holds_up_no_other_channel(deliverer: Deliverer) -> None:
    with mail_server() as mailbox:
        desk, alerting = deliverer(
            alert_slack_url="http://127.0.0.1:9/services/x", **mail_settings(mailbox)
        )
        call(desk)
        assert alerting.deliver_due() == 2
    assert states(desk) == ["pending", "sent"]


def mail_settings(mailbox: Mailbox, **more: object) -> dict[str, object]:
    return {
        "alert_email_to": ["desk@example.invalid", "night@example.invalid"],
        "alert_email_from": "portiere@example.invalid",
        "mail_host": "127.0.0.1",
        "mail_port": mailbox.port,
        "mail_security": "none",
        **more,
    }


def test_a_mail_goes_to_all_addresses(deliverer: Deliverer) -> None:
    with mail_server() as mailbox:
        desk, alerting = deliverer(**mail_settings(mailbox))
        call(desk, "Ada Esempio: perché?", urgent=True)
        alerting.deliver_due()
        recipients, mail = mailbox.taken.get(timeout=10)
    assert recipients == ["desk@example.invalid", "night@example.invalid"]
    assert mail.get_content().strip() == "Ada Esempio: perché?"
    assert mail["Subject"] == "Portiere: emergency"
    assert str(mail["From"]) == "Portiere <portiere@example.invalid>"
    assert mail["X-Priority"] == "1"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Message-ID"].endswith("@example.invalid>")
    assert states(desk) == ["sent"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd sees only TLS of its own
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_over_tls_with_user_and_password(
    deliverer: Deliverer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server(pem, at_once=security == "tls", login=True) as mailbox:
        secure = {"mail_security": security, "mail_user": USER, "mail_password": PASSWORD}
        desk, alerting = deliverer(**mail_settings(mailbox, **secure))
        call(desk)
        alerting.deliver_due()
        assert mailbox.taken.get(timeout=10)
    assert states(desk) == ["sent"]


@pytest.mark.parametrize(
    "odd",
    [
        {"mail_password": "not-it"},
        {"mail_security": "none", "mail_user": ""},  # the server insists on STARTTLS
    ],
)
def test_what_a_person_may_mend_is_tried_again(
    deliverer: Deliverer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: dict[str, str]
) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    secure = {"mail_security": "starttls", "mail_user": USER, "mail_password": PASSWORD, **odd}
    with mail_server(pem, login=True) as mailbox:
        desk, alerting = deliverer(**mail_settings(mailbox, **secure))
        call(desk)
        alerting.deliver_due()
    (row,) = deliveries(desk)
    assert row["state"] == "pending"
    assert row["note"].startswith("the mail server answered 5")


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(
    deliverer: Deliverer, tmp_path: Path
) -> None:
    with mail_server(certificate(tmp_path)) as mailbox:
        desk, alerting = deliverer(**mail_settings(mailbox, mail_security="starttls"))
        call(desk)
        alerting.deliver_due()
        assert mailbox.taken.empty()
    assert "SSLCertVerificationError" in deliveries(desk)[0]["note"]


def test_one_address_that_is_wrong_keeps_the_mail_from_no_other(deliverer: Deliverer) -> None:
    with mail_server() as mailbox:
        mailbox.refuses = {"desk@example.invalid"}
        desk, alerting = deliverer(**mail_settings(mailbox))
        call(desk)
        alerting.deliver_due()
        recipients, _ = mailbox.taken.get(timeout=10)
    assert recipients == ["night@example.invalid"]
    assert states(desk) == ["sent"]


def test_the_desks_phones_get_a_message_each(deliverer: Deliverer) -> None:
    desk, alerting = deliverer(alert_whatsapp=["+39 000 0000002", "+390000000003"])
    call(desk, "riga uno\nriga due")
    alerting.deliver_due()
    rows = outbox(desk)
    assert len({row["idempotency_key"] for row in rows}) == 2
    assert all(is_ours(row["idempotency_key"]) for row in rows)
    assert {(row["kind"], row["template"]) for row in rows} == {("desk", "desk_alert")}
    assert rows[0]["guest"] == desk.seal.index(OTHER)
    assert "riga uno riga due" in json.loads(message(desk, rows[0]))["text"]
    assert states(desk) == ["sent"]


def test_the_thread_delivers_and_ends(deliverer: Deliverer) -> None:
    with mail_server() as mailbox:
        desk, alerting = deliverer(**mail_settings(mailbox))
        call(desk)
        alerting.start()
        assert mailbox.taken.get(timeout=10)
        alerting.stop()
    assert states(desk) == ["sent"]


def test_an_emergency_reaches_the_desk_and_no_log(tmp_path: Path, slack: Scripted) -> None:
    slack.answers = [Answer(503)]
    with stack(tmp_path, PORTIERE_ALERT_SLACK_URL=slack.url + HOOK) as found:
        found.start_sandbox()
        found.start_gateway()
        found.start_worker()
        write(found, "Aiuto, c'è un incendio in cucina!", GUEST)
        eventually(lambda: len(slack.asked) == 2, "Slack has it at the second attempt")
        found.stop()
        logged = found.worker.log.read_text()
    for asked in slack.asked:
        assert GUEST in asked.body["text"]
        assert "incendio in cucina" in asked.body["text"]
    assert "alert_postponed" in logged
    assert "alert_delivered" in logged
    for secret in ("invented-slack-secret", GUEST, GUEST[1:], "incendio"):
        assert secret not in logged


def test_a_desk_that_nobody_can_reach_says_so(
    deliverer: Deliverer, capsys: pytest.CaptureFixture[str]
) -> None:
    _, alerting = deliverer()
    alerting.start()
    alerting.stop()
    assert "alerts_reach_nobody" in capsys.readouterr().out

"""The mailbox, on a real dovecot: every mail is an event once, whatever ends in between."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.runtime.events import Event
from cloud_jobs.sources import imap, mail_intake
from cloud_jobs.sources.imap import Listener
from cloud_jobs.sources.mail_intake import Take
from cloud_jobs.sources.mailbox import TAKEN
from cloud_jobs.store.sources import Mail, Mailbox
from tests.support import dying_listener
from tests.support import reservation_mails as mails
from tests.support.cloud_layer import SEAL_KEYS, Layer
from tests.support.dovecot import PASSWORD, USER, Dovecot, dovecot
from tests.support.mail import certificate
from tests.support.processes import PATIENCE, eventually


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with dovecot() as found:
        yield found


@pytest.fixture
def cloud(layer: Callable[..., Layer]) -> Callable[..., Layer]:
    """``cloud(server, …)`` makes a layer whose mailbox is on that server."""

    def make(server: Dovecot, **overrides: Any) -> Layer:
        given: dict[str, Any] = {
            "imap_host": "127.0.0.1",
            "imap_port": server.port,
            "imap_security": "none",
            "imap_user": USER,
            "imap_password": PASSWORD,
            "mail_authserv_id": mails.AUTHSERV_ID,
        }
        return layer(read_mail, tell_desk, **(given | overrides))

    return make


@contextmanager
def listening(layer: Layer, take: Take | None = None) -> Iterator[Listener]:
    listener = Listener(layer.settings, layer.store, layer.seal, take or taker(layer))
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()
        assert not listener._thread.is_alive()


def taker(layer: Layer) -> Take:
    return dying_listener.taker(layer.settings, layer.seal, layer.jobs)


def mail(number: int) -> bytes:
    return f"From: somebody@example.invalid\r\nSubject: {number}\r\n\r\nHello\r\n".encode()


def arrived(layer: Layer) -> list[str]:
    return [event.payload["digest"] for event in layer.events("mail.arrived")]


def wait_for(layer: Layer, count: int, seconds: float = PATIENCE) -> None:
    """Until so many mails are events; fails if there are more."""
    eventually(lambda: len(arrived(layer)) >= count, f"{count} mails are events", seconds)
    assert len(arrived(layer)) == count
    assert len(set(arrived(layer))) == count


def wait_until_it_idles(server: Dovecot, layer: Layer) -> None:
    """Until the folder was read to its end, and a moment more."""

    def looked() -> bool:
        with layer.store.reading() as session:
            return session.scalar(select(Mailbox.name)) is not None

    eventually(looked, "the folder has been looked into")


def test_a_mail_arrives_by_idle_and_the_desk_is_asked_for_a_welcome(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    with listening(layer):
        wait_until_it_idles(server, layer)
        time.sleep(0.5)  # IDLE has nothing that tells that it has begun
        began = time.monotonic()
        server.drop(mails.with_a_phone(datetime.now(UTC).date() + timedelta(days=9)))
        wait_for(layer, 1)
        told = time.monotonic() - began
        layer.run_all()
        print(f"from append to event {told:.3f} s, to welcome {time.monotonic() - began:.3f} s")
    names = [name for name, _ in layer.commands()]
    assert names == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"]
    assert server.flags() == [(TAKEN,)]


def test_a_server_without_idle_is_asked(cloud: Callable[..., Layer]) -> None:
    with dovecot("imap_capability = IMAP4rev1 UIDPLUS") as server:
        layer = cloud(server, imap_poll=timedelta(seconds=0.2))
        with listening(layer):
            wait_until_it_idles(server, layer)
            for number in range(3):
                server.drop(mail(number))
                wait_for(layer, number + 1)


def test_a_mail_that_comes_at_any_moment_is_not_left_until_the_poll(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    chance = random.Random(5)
    taken = 0
    for _ in range(4):
        layer = cloud(server)
        with listening(layer), server.mailbox() as box:
            for number in range(1, 11):
                time.sleep(chance.random() * 0.06)  # while it logs in, looks, begins to wait
                box.append(mail(taken := taken + 1), flag_set=[])
                wait_for(layer, number)
        with server.mailbox() as box:
            box.delete(box.uids())


def test_connections_that_break_lose_nothing(server: Dovecot, cloud: Callable[..., Layer]) -> None:
    layer = cloud(server)
    with listening(layer):
        wait_until_it_idles(server, layer)
        for number in range(4):
            assert eventually(server.cut_connections, "a connection is there to be cut")
            server.drop(mail(number))
            wait_for(layer, number + 1)


def test_a_server_that_is_away_is_waited_for(server: Dovecot, cloud: Callable[..., Layer]) -> None:
    layer = cloud(server)
    with listening(layer):
        server.drop(mail(1))
        wait_for(layer, 1)
        server.stop()
        time.sleep(2)
        server.start()
        server.drop(mail(2))
        wait_for(layer, 2)


def test_an_absence_is_told_once_and_that_it_is_over(
    server: Dovecot, cloud: Callable[..., Layer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "AWAY_LONG", timedelta(seconds=1))
    layer = cloud(server)
    server.stop()
    with listening(layer):
        eventually(layer.alerts, "the desk is told")
        time.sleep(2)
        ((kind, text),) = layer.alerts()
        assert kind == "mailbox_away"
        assert PASSWORD not in text
        server.start()
        eventually(lambda: not layer.alerts(), "the desk is told that it is over")


def test_a_refused_password_is_in_no_log(
    server: Dovecot,
    cloud: Callable[..., Layer],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(imap, "AWAY_LONG", timedelta(0))
    layer = cloud(server, imap_password="wrong-secret")
    with listening(layer):
        eventually(layer.alerts, "the desk is told")
    ((_, text),) = layer.alerts()
    assert "refuses the password" in text
    said = "".join(capfd.readouterr())
    assert "LoginRefusedError" in said
    assert "wrong-secret" not in said + text


def test_a_password_may_have_any_letters(cloud: Callable[..., Layer]) -> None:
    with dovecot(password="pässwörd-è") as server:
        layer = cloud(server, imap_password="pässwörd-è")
        server.drop(mail(1))
        with listening(layer):
            wait_for(layer, 1)


def test_a_mail_that_the_server_can_not_give_holds_up_none(
    server: Dovecot, cloud: Callable[..., Layer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_intake, "_TRIES", 2)
    layer = cloud(server)
    server.drop(mail(1), mail(2), mail(3))
    server.lock("2")
    with listening(layer):
        wait_for(layer, 3)
    layer.run_all()
    with layer.store.reading() as session:
        found = session.scalars(select(Mail).order_by(Mail.uid)).all()
    assert [one.reason for one in found] == ["unknown_sender", "unreadable", "unknown_sender"]


def test_other_numbers_of_the_mails_take_none_twice(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    server.drop(*map(mail, range(5)))
    with listening(layer):
        wait_for(layer, 5)
        wait_until_it_idles(server, layer)
    before = _place(layer).uid_validity
    server.drop(mail(5), seen=True)
    server.stop()
    server.change_uid_validity()
    server.start()
    server.drop(mail(6))
    with listening(layer):
        wait_for(layer, 7)
        eventually(lambda: _place(layer).uid_validity != before, "the new numbers are known")
    assert len(arrived(layer)) == 7


def test_a_first_start_takes_what_nobody_has_read_of_the_last_month(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer, now = cloud(server), datetime.now(UTC)
    server.drop(mail(1), received_at=now - timedelta(days=60))
    server.drop(mail(2), received_at=now - timedelta(days=5), seen=True)
    server.drop(mail(3), received_at=now - timedelta(days=5))
    with listening(layer):
        wait_for(layer, 1)
        server.drop(mail(4), seen=True)  # read by its owner before we came to it
        wait_for(layer, 2)
    assert [(TAKEN in flags, "\\Seen" in flags) for flags in server.flags()] == [
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    ]


def test_a_store_that_takes_nothing_leaves_the_mail_unmarked(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    failed: list[str] = []

    def refusing(session: Session, event: Event) -> object:
        if len(failed) < 2:
            failed.append(event.event_id)
            session.connection().exec_driver_sql("INSERT INTO no_such_table VALUES (1)")
        return taker(layer)(session, event)

    server.drop(mail(1))
    with listening(layer, refusing):
        eventually(lambda: failed, "the store was asked")
        assert arrived(layer) == []
        assert server.flags() == [()]
        wait_for(layer, 1)
        eventually(lambda: server.flags() == [(TAKEN,)], "the mail is marked")
    assert len(failed) == 2


@pytest.mark.parametrize("moment", dying_listener.MOMENTS)
def test_killed_between_any_two_steps_each_mail_is_an_event_once(
    moment: str, server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    server.drop(*map(mail, range(3)))
    passes = 1 if moment.endswith(("look", "mark")) else 2
    process = dying_listener.start(_env(layer), moment, passes)
    assert process.wait(timeout=60) == -signal.SIGKILL
    marked = sum(TAKEN in flags for flags in server.flags())
    assert marked <= len(arrived(layer)) <= 3
    with listening(layer):
        wait_for(layer, 3)
        eventually(lambda: server.flags() == [(TAKEN,)] * 3, "all are marked")
    assert len(arrived(layer)) == 3
    with layer.store.reading() as session:
        assert len(session.scalars(select(Mail)).all()) == 3


def test_two_hundred_at_once_are_two_hundred_events(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    with listening(layer):
        wait_until_it_idles(server, layer)
        began = time.monotonic()
        server.drop(*map(mail, range(200)))
        wait_for(layer, 200, seconds=90)
        print(
            f"200 mails, from the first append to the last event {time.monotonic() - began:.2f} s"
        )
        eventually(lambda: server.flags() == [(TAKEN,)] * 200, "all are marked")


def test_of_a_mail_of_two_megabytes_the_header_is_fetched(
    server: Dovecot, cloud: Callable[..., Layer]
) -> None:
    layer = cloud(server)
    raw = mails.raw("booking_en_new").replace(b"\n", b"\r\n") + b"a" * 70 + b"\r\n"
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    server.drop(raw + (b"a" * 70 + b"\r\n") * 30_000, mail(1))
    with listening(layer):
        wait_for(layer, 2)
    layer.run_all()
    with layer.store.reading() as session:
        big = session.scalars(select(Mail).where(~Mail.whole)).one()
    assert big.size > 2_000_000
    assert (big.verdict, big.reason) == ("person", "too_big")
    assert big.raw is not None
    assert len(big.raw) < len(head) + 200


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_over_tls_the_servers_certificate_is_checked(
    security: str,
    tmp_path: Path,
    cloud: Callable[..., Layer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pem = certificate(tmp_path)
    with dovecot(pem=pem) as server:
        port = server.tls_port if security == "tls" else server.port
        server.drop(mail(1))
        stranger = cloud(server, imap_security=security, imap_port=port)
        monkeypatch.setattr(imap, "AWAY_LONG", timedelta(0))
        with listening(stranger):
            ((_, text),) = eventually(stranger.alerts, "the certificate is refused")
        assert "SSLCertVerificationError" in text
        assert arrived(stranger) == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        trusting = cloud(server, imap_security=security, imap_port=port)
        with listening(trusting):
            for number in range(1, 4):
                wait_for(trusting, number)
                server.drop(mail(number + 1))
            wait_for(trusting, 4)


def _place(layer: Layer) -> Mailbox:
    with layer.store.reading() as session:
        return session.scalars(select(Mailbox)).one()


def _env(layer: Layer) -> dict[str, str]:
    found = layer.settings
    return {
        "PORTIERE_SEAL_KEYS": SEAL_KEYS,
        "PORTIERE_STORE_URL": found.store_url.get_secret_value(),
        "PORTIERE_IMAP_HOST": found.imap_host,
        "PORTIERE_IMAP_PORT": str(found.imap_port),
        "PORTIERE_IMAP_SECURITY": found.imap_security,
        "PORTIERE_IMAP_USER": found.imap_user,
        "PORTIERE_IMAP_PASSWORD": PASSWORD,
        "PORTIERE_MAIL_AUTHSERV_ID": found.mail_authserv_id,
    }

"""The real scheduler and worker over a real Redis and a real dovecot: from a mail to a welcome."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cloud_jobs.store.exchange import Command, InboundEvent
from cloud_jobs.store.sources import Mail, Mailbox
from tests.support import reservation_mails as mails
from tests.support.cloud_processes import Cloud, cloud
from tests.support.dovecot import PASSWORD, USER, Dovecot, dovecot
from tests.support.processes import PORTIERE, Process, eventually

SCHEDULE = (PORTIERE, "cloud", "schedule")
WORK = (PORTIERE, "cloud", "work")


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with dovecot() as found:
        yield found


@pytest.fixture
def layer(server: Dovecot, tmp_path: Path) -> Iterator[Cloud]:
    mailbox = {
        "PORTIERE_IMAP_HOST": "127.0.0.1",
        "PORTIERE_IMAP_PORT": str(server.port),
        "PORTIERE_IMAP_SECURITY": "none",
        "PORTIERE_IMAP_USER": USER,
        "PORTIERE_IMAP_PASSWORD": PASSWORD,
        "PORTIERE_MAIL_AUTHSERV_ID": mails.AUTHSERV_ID,
    }
    with cloud(tmp_path, **mailbox) as found:
        yield found


def commands(layer: Cloud) -> list[str]:
    with layer.store.reading() as session:
        return list(session.scalars(select(Command.name).order_by(Command.seq)))


def events(layer: Cloud) -> list[str]:
    query = select(InboundEvent.event_id).where(InboundEvent.name == "mail.arrived")
    with layer.store.reading() as session:
        return list(session.scalars(query))


def looked(layer: Cloud) -> bool:
    with layer.store.reading() as session:
        return session.scalar(select(Mailbox.name)) is not None


def test_a_mail_becomes_a_welcome_soon(layer: Cloud, server: Dovecot) -> None:
    layer.start("schedule", program=SCHEDULE)
    layer.start("work", program=WORK)
    eventually(lambda: looked(layer), "the mailbox has been read")
    arrival = datetime.now(UTC).date() + timedelta(days=9)
    times = []
    for number in range(3):
        raw = mails.with_a_phone(arrival).replace(b"5592650081", f"559265009{number}".encode())
        began = time.monotonic()
        server.drop(raw)
        eventually(lambda: commands(layer).count("SEND_MESSAGE") > number, "a welcome")  # noqa: B023
        times.append(time.monotonic() - began)
    print("from append to the welcome's command:", [f"{one:.2f} s" for one in times])
    assert commands(layer) == ["CREATE_GUEST", "UPSERT_BOOKING", "SEND_MESSAGE"] * 3
    said = "".join(process.log.read_text() for process in layer.processes)
    for private in ("Franca", "390000000002", "fesemp", PASSWORD):
        assert private not in said


def test_a_scheduler_killed_again_and_again_takes_every_mail_once(
    layer: Cloud, server: Dovecot
) -> None:
    process: Process | None = None
    for turn in range(4):
        if process is not None:
            process.kill()
        raws = [
            f"From: a@example.invalid\r\nSubject: {turn} {n}\r\n\r\n".encode() for n in range(15)
        ]
        server.drop(*raws)
        process = layer.start("schedule", program=SCHEDULE)
        eventually(lambda: len(events(layer)) > turn * 15, "it takes mails")  # noqa: B023
    eventually(lambda: len(events(layer)) >= 60, "all mails are events")
    assert len(events(layer)) == 60
    with layer.store.reading() as session:
        assert len(session.scalars(select(Mail.digest)).all()) == 60

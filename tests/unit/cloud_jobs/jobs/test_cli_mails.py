"""What a person at the terminal sees of the mails that wait for them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cloud_jobs.cli import cli
from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.store.schema import needed
from tests.support import reservation_mails as mails
from tests.support.cloud_layer import SEAL_KEYS, Layer
from tests.support.kept_mails import arrive, kept

MakeLayer = Callable[..., Layer]
Ask = Callable[..., Result]


@pytest.fixture
def cloud(layer: MakeLayer) -> Layer:
    made = layer(read_mail, mail_authserv_id=mails.AUTHSERV_ID)
    # The tables are there already, as the release has them.
    with made.store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{needed()}')")
    return made


@pytest.fixture
def ask(cloud: Layer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("PORTIERE_SEAL_KEYS", SEAL_KEYS)
    monkeypatch.setenv("PORTIERE_STORE_URL", cloud.settings.store_url.get_secret_value())

    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(cli, arguments)

    return run


def test_those_that_wait_are_listed_with_their_reason(cloud: Layer, ask: Ask) -> None:
    waits = arrive(cloud, mails.raw("spoof_subdomain"))
    arrive(cloud, mails.raw("booking_en_whole"))
    cloud.run_all()
    listed = ask("mails").stdout
    assert listed.startswith(waits[:12])
    assert listed.endswith("lookalike\n")
    (line,) = ask("mails", "--json").stdout.splitlines()
    assert json.loads(line)["digest"] == waits


def test_one_is_shown_and_given_as_it_came(cloud: Layer, ask: Ask) -> None:
    raw = b"Subject: =?utf-8?q?Hai=1b[2J_una?=\nFrom: Booking.com <a@example.invalid>\n\n\xff\x00"
    digest = arrive(cloud, raw)
    cloud.run_all()
    shown = ask("mail", digest[:12]).stdout.splitlines()
    assert shown[1:] == [
        "Reason: lookalike",
        "From: Booking.com <a@example.invalid>",
        "Subject: Hai[2J una",
    ]
    assert ask("mail", digest, "--raw").stdout_bytes == raw


def test_one_that_is_settled_waits_no_longer(cloud: Layer, ask: Ask) -> None:
    names = ("spoof_subdomain", "spoof_domain_with_a_tail")
    first, second = [arrive(cloud, mails.raw(name)) for name in names]
    cloud.run_all()
    assert ask("mail", first, "--done").exit_code == 0
    assert (kept(cloud, first).verdict, kept(cloud, first).raw) == ("settled", None)
    assert len(cloud.alerts()) == 1
    assert ask("mail", second, "--done").exit_code == 0
    assert cloud.alerts() == []
    assert ask("mails").stdout == ""


@pytest.mark.parametrize("digest", ["", "no-such-mail"])
def test_what_is_no_mails_name_is_said(digest: str, cloud: Layer, ask: Ask) -> None:
    for name in ("spoof_subdomain", "spoof_domain_with_a_tail"):
        arrive(cloud, mails.raw(name))
    assert ask("mail", digest).exit_code == 2


def test_of_a_mail_that_was_read_the_words_are_gone(cloud: Layer, ask: Ask) -> None:
    digest = arrive(cloud, mails.raw("booking_en_whole"))
    cloud.run_all()
    assert "found to be: reservation" in " ".join(ask("mail", digest).stderr.split())


def test_one_that_nobody_has_read_for_long_waits_too(cloud: Layer, ask: Ask) -> None:
    digest = arrive(cloud, mails.raw("booking_en_whole"))
    assert ask("mails").stdout.endswith("not_read\n")
    assert ask("mail", digest, "--raw").stdout_bytes == mails.raw("booking_en_whole")

"""Guests, bookings and keys on the command line, over a real database and a real stack."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.events import inbound
from tests.support.guest import post
from tests.support.processes import PORTIERE, stack

PHONE = "+390000000001"
ANNA = {"phone": PHONE, "name": "Anna Invenzione", "language": "it"}
STAY = {
    "channel": "direct",
    "code": "A-1",
    "status": "confirmed",
    "phone": PHONE,
    "unit": "12",
    "arrival": "2026-11-24",
    "departure": "2026-11-26",
    "balance": "120.50",
    "currency": "EUR",
}


def key(letter: bytes) -> str:
    return base64.b64encode(letter * 32).decode()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The settings of a node with a database of its own and nothing running."""
    return {
        "PORTIERE_DATABASE": str(tmp_path / "p.db"),
        "PORTIERE_SPOKI_API_KEY": "invented-key",
        "PORTIERE_SPOKI_WEBHOOK_SECRET": "invented-secret",
        "PORTIERE_SEAL_KEYS": f"k1:{key(b's')}",
        "PORTIERE_INDEX_KEY": key(b"i"),
    }


def portiere(
    env: dict[str, str], *arguments: str, lines: list[dict[str, str]] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PORTIERE, *arguments],
        env={**os.environ, **env},
        input="".join(f"{json.dumps(line)}\n" for line in lines or []),
        capture_output=True,
        text=True,
        check=False,
    )


def keep(env: dict[str, str]) -> None:
    """Put Anna and her stay in."""
    for table, line in (("guests", ANNA), ("bookings", STAY)):
        done = portiere(env, table, "put", "--json", "-", lines=[line])
        assert done.returncode == 0, done.stderr
        assert "kept: 1" in done.stdout


def test_a_guest_is_put_shown_exported_and_erased(env: dict[str, str]) -> None:
    keep(env)
    shown = json.loads(portiere(env, "guests", "show", "+39 000 0000001").stdout)
    assert (shown["guest"]["name"], shown["bookings"][0]["code"]) == ("Anna Invenzione", "A-1")
    exported = json.loads(portiere(env, "guests", "export", PHONE).stdout)
    assert exported["guest"]["phone"] == PHONE
    erased = portiere(env, "guests", "erase", PHONE)
    assert "bookings 1" in erased.stdout
    assert "Nothing is held" in portiere(env, "guests", "erase", PHONE).stdout
    assert portiere(env, "guests", "export", PHONE).returncode == 1
    assert portiere(env, "guests", "show", PHONE).returncode == 1


def test_bookings_are_listed_as_they_are_put(env: dict[str, str]) -> None:
    keep(env)
    (line,) = portiere(env, "bookings", "list").stdout.splitlines()
    assert json.loads(line) == STAY


def test_one_bad_line_keeps_all_out(env: dict[str, str]) -> None:
    done = portiere(env, "guests", "put", "--json", "-", lines=[ANNA, {"name": "Bruno"}])
    assert done.returncode == 1
    assert "line 2: phone: Field required" in done.stderr
    assert "Traceback" not in done.stderr
    assert portiere(env, "guests", "show", PHONE).returncode == 1


def test_what_is_no_number_is_said(env: dict[str, str]) -> None:
    done = portiere(env, "guests", "show", "0000001")
    assert done.returncode == 2
    assert "with + and the country" in done.stderr


def test_keys_rotate_and_the_old_one_may_be_dropped(env: dict[str, str]) -> None:
    keep(env)
    both = env | {"PORTIERE_SEAL_KEYS": f"k2:{key(b'n')},k1:{key(b's')}"}
    done = portiere(both, "keys", "rotate")
    assert done.returncode == 0, done.stderr
    assert "k1 seals nothing any more" in done.stdout
    alone = env | {"PORTIERE_SEAL_KEYS": f"k2:{key(b'n')}"}
    assert json.loads(portiere(alone, "guests", "export", PHONE).stdout)["guest"]["phone"] == PHONE


def test_a_key_dropped_too_early_is_named(env: dict[str, str]) -> None:
    keep(env)
    alone = env | {"PORTIERE_SEAL_KEYS": f"k2:{key(b'n')}"}
    for command in (("guests", "show", PHONE), ("keys", "rotate")):
        done = portiere(alone, *command)
        assert done.returncode == 1
        assert "'k1' is not among PORTIERE_SEAL_KEYS" in done.stderr
        assert "Traceback" not in done.stderr


def test_keys_rotate_while_events_come_in(env: dict[str, str], tmp_path: Path) -> None:
    """The gateway has been restarted with the new key first; a guest writes meanwhile."""
    old = f"k1:{key(b's')}"
    with stack(tmp_path, PORTIERE_SEAL_KEYS=f"k2:{key(b'n')},{old}") as found:
        keep(env | {"PORTIERE_DATABASE": str(found.database)})
        found.start_sandbox()
        found.start_gateway()
        with subprocess.Popen(
            [PORTIERE, "keys", "rotate"],
            env={**os.environ, **found.env},
            stdout=subprocess.PIPE,
            text=True,
        ) as rotating:
            written = 0
            while rotating.poll() is None:
                assert post(found, inbound(f"Messaggio {written}")).status_code == 200
                written += 1
            said, _ = rotating.communicate()
        assert "k1 seals nothing any more" in said
        again = portiere(found.env, "keys", "rotate")
        assert again.returncode == 0, again.stderr
        assert "Sealed anew with k2: 0." in again.stdout
        exported = json.loads(portiere(found.env, "guests", "export", PHONE).stdout)
    assert len(exported["inbox"]) == written > 0

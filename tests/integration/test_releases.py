"""What a release is asked before it is put into use: by real programs, beside those that serve."""

import base64
import os
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.processes import PORTIERE, Stack

FUTURE = ("portiere", "from_the_future", "2030-01-01")
ADDED = ("portiere: additive", "from_the_future", "2030-01-01")
NOTE = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)"


def portiere(stack: Stack, *arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PORTIERE, *arguments],
        env={**os.environ, **stack.env, **overrides},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_is_tried_beside_the_one_that_serves(idle: Stack) -> None:
    files = {path.name for path in idle.directory.iterdir()}
    done = portiere(idle, "release", "try")
    assert done.returncode == 0, done.stderr
    assert httpx.get(f"{idle.gateway_url}/health").json()["status"] == "ok"
    assert {path.name for path in idle.directory.iterdir()} <= files | {"portiere.db-wal"}


def test_one_of_two_nodes_is_tried_as_the_leader_it_may_become(idle: Stack, tmp_path: Path) -> None:
    """With settings in a file, as hosts have them; neither the other nor the authority is there."""
    file = tmp_path / "portiere.env"
    one_of_two = {
        **idle.env,
        "PORTIERE_HA_AUTHORITY": "http://127.0.0.1:1",
        "PORTIERE_HA_KEY": base64.b64encode(b"h" * 32).decode(),
        "PORTIERE_HA_PEER": "vps",
        "PORTIERE_HA_PEER_URLS": "http://127.0.0.1:1",
        "PORTIERE_HA_REPLICA": f"file://{tmp_path}/replica",
        "PORTIERE_HA_REDIS_ADMIN_URL": idle.redis_url,
        "PORTIERE_HA_REDIS_PEER": "127.0.0.1:1",
        "PORTIERE_DATABASE": str(tmp_path / "portiere.db"),
    }
    file.write_text("".join(f"{name}={value}\n" for name, value in one_of_two.items()))
    done = subprocess.run(
        [PORTIERE, "release", "try"],
        env={"PATH": os.environ["PATH"], "PORTIERE_ENV_FILE": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "portiere.db").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"PORTIERE_REDIS_URL": "redis://127.0.0.1:1/0"}, "failing"),
        ({"PORTIERE_SEAL_KEYS": "nonsense"}, "PORTIERE_SEAL_KEYS"),
    ],
)
def test_a_trial_that_fails_says_why(idle: Stack, overrides: dict[str, str], said: str) -> None:
    done = portiere(idle, "release", "try", **overrides)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_that_does_not_start_fails_the_trial(idle: Stack, tmp_path: Path) -> None:
    """The release's own code is at fault, which no setting shows."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import sys\n"
        "if sys.argv[1:2] == ['serve'] or 'serve' in sys.orig_argv:\n"
        "    raise SystemExit('broken on purpose')\n"
    )
    done = portiere(idle, "release", "try", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "broken on purpose" in done.stderr


def schema(stack: Stack) -> str:
    done = portiere(stack, "release", "schema")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_release_can_be_asked_what_it_would_say_of_the_schema_to_be(idle: Stack) -> None:
    """As `present` says it of the schema that `next` makes."""
    made = schema(idle)
    assert portiere(idle, "check", PORTIERE_DATABASE=made).returncode == 0
    assert sqlite3.connect(made).execute("SELECT count(*) FROM inbox").fetchone() == (0,)


@pytest.mark.parametrize(("is_additive", "code"), [(True, 0), (False, 1)])
def test_a_newer_schema_is_gone_back_from_if_it_only_adds(
    idle: Stack, is_additive: bool, code: int
) -> None:
    """The present database has been with a newer release; this one is asked to take it."""
    with sqlite3.connect(idle.database) as database:
        database.executemany(NOTE, [FUTURE, ADDED] if is_additive else [FUTURE])
    try:
        made = schema(idle) if is_additive else str(idle.database)
        done = portiere(idle, "check", PORTIERE_DATABASE=made)
        assert done.returncode == code, done.stderr
        assert ("from_the_future" in done.stderr) is not is_additive
        assert portiere(idle, "check").returncode == code
    finally:
        with sqlite3.connect(idle.database) as database:
            database.execute("DELETE FROM _sqlite_migrations WHERE name = 'from_the_future'")


def test_a_standby_is_asked_about_the_copy_that_it_has(idle: Stack, tmp_path: Path) -> None:
    """It has no database of its own, but would take over with that."""
    copies = tmp_path / "ha/copies"
    copies.mkdir(parents=True)
    (tmp_path / "ha/known.json").write_text('{"copied": 3, "term": 3}')
    copy = copies / "term-3-1.db"
    copy.with_name("term-3-1.db-txid").write_text("1")
    here = {"PORTIERE_DATABASE": str(tmp_path / "portiere.db")}
    with sqlite3.connect(schema(idle)) as made:
        made.execute(f"VACUUM INTO '{copy}'")
    assert portiere(idle, "check", **here).returncode == 0
    with sqlite3.connect(copy) as database:
        database.execute(NOTE, FUTURE)
    done = portiere(idle, "check", **here)
    assert done.returncode == 1
    assert "from_the_future" in done.stderr
    assert done.stderr.startswith("database: ")

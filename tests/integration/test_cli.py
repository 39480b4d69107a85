"""The command line, as the engineer and the roles use it."""

import json
import os
import subprocess

import pytest

from tests.support.events import GUEST
from tests.support.guest import all_settled, write
from tests.support.processes import PORTIERE, Stack


def portiere(stack: Stack, *arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PORTIERE, *arguments],
        env={**os.environ, **stack.env, **overrides},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_is_content_with_what_could_run(idle: Stack) -> None:
    done = portiere(idle, "check")
    assert done.returncode == 0, done.stderr
    assert "good" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PORTIERE_REDIS_URL", "redis://:wrong@127.0.0.1:1/0", "redis:"),
        ("PORTIERE_PROPERTY_FILE", "/nowhere/property.yml", "/nowhere/property.yml"),
        ("PORTIERE_DATABASE", "/nowhere/portiere.db", "/nowhere"),
        ("PORTIERE_INDEX_KEY", "CHANGE-ME", "PORTIERE_INDEX_KEY"),
    ],
)
def test_check_names_what_is_wrong(idle: Stack, variable: str, value: str, said: str) -> None:
    done = portiere(idle, "check", **{variable: value})
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["serve", "work"])
def test_a_program_that_can_t_start_says_why_in_a_few_lines(idle: Stack, program: str) -> None:
    done = portiere(idle, program, PORTIERE_SEAL_KEYS="nonsense")
    assert done.returncode == 1
    assert "PORTIERE_SEAL_KEYS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said(idle: Stack) -> None:
    done = portiere(idle, "serve")
    assert done.returncode == 1
    assert f"127.0.0.1:{idle.gateway_port}" in done.stderr


def test_keys_are_good_for_the_settings(idle: Stack) -> None:
    made = dict(line.split("=", 1) for line in portiere(idle, "keys").stdout.splitlines())
    assert portiere(idle, "check", **made).returncode == 0


def test_trace_shows_the_hops_and_nothing_of_the_guest(running: Stack) -> None:
    write(running, "Buongiorno, a che ora è la colazione?")
    all_settled(running, 1)
    done = portiere(running, "trace")
    (line,) = done.stdout.splitlines()
    hops = json.loads(line)
    assert hops["language"] == "it"
    assert hops["received_at"] <= hops["answered_at"] <= hops["sending_at"] <= hops["sent_at"]
    assert GUEST not in line
    assert "colazione" not in line

"""Connections and expectations of the hosts under test.

``PORTIERE_TESTINFRA`` names the environment, a file of `vars/`; without it, the rehearsal.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.testinfra.connection import Host, connect
from tests.rehearsal.testinfra.environment import (
    PROJECT,
    Environment,
    Machine,
    host_variables,
    load,
)
from tests.rehearsal.testinfra.leaks import Secrets

ENVIRONMENT = os.environ.get("PORTIERE_TESTINFRA", "rehearsal")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, as pytest is strict about them."""
    config.addinivalue_line("markers", "mutating: changes or restarts something on the hosts")
    config.addinivalue_line("markers", "disruptive: takes a host away for a while; runs last")


def pytest_report_header() -> str:
    """Say which hosts are meant."""
    return f"environment: {ENVIRONMENT} (PORTIERE_TESTINFRA)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave mutating tests out where the environment forbids them; disruptive ones come last."""
    environment = load(ENVIRONMENT)
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here)]
    forbidden = [
        item
        for item in ours
        if (item.get_closest_marker("mutating") and not environment.mutating)
        or (item.get_closest_marker("disruptive") and not environment.reboot)
    ]
    config.hook.pytest_deselected(items=forbidden)
    items[:] = [item for item in items if item not in forbidden]
    items.sort(key=lambda item: item.get_closest_marker("disruptive") is not None)


@dataclass(frozen=True)
class Target:
    """A host, and what it must look like."""

    name: str
    host: Host = field(repr=False)
    expected: Machine = field(repr=False)
    link_address: str = field(repr=False)

    def redis(self, command: str, auth: str | None = None) -> str:
        """What redis-cli prints for a command.

        Args:
            command: What to ask, as redis-cli takes it.
            auth: A shell command that prints the password, so that no argument holds it; without
                it, the program's own.
        """
        secret = auth or self.expected.redis_secret
        script = f"REDISCLI_AUTH=$({secret}) {self.expected.redis_cli} --user portiere {command}"
        answer = self.host.run(script)
        return f"{answer.stdout}{answer.stderr}".strip()


@dataclass(frozen=True)
class Outside:
    """A place outside of both networks."""

    prefix: tuple[str, ...]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        return subprocess.run(
            [*self.prefix, *words], cwd=PROJECT, capture_output=True, text=True, check=False
        )

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection opens within 3 s; a firewall that drops answers nothing."""
        attempt = self.run("timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}")
        return attempt.returncode == 0


@pytest.fixture(scope="session")
def environment() -> Environment:
    """What is expected."""
    return load(ENVIRONMENT)


@pytest.fixture(scope="session")
def variables(environment: Environment) -> dict[str, dict[str, Any]]:
    """The inventory's variables by host."""
    return host_variables(environment)


@pytest.fixture(scope="session")
def targets(
    environment: Environment,
    variables: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Target]:
    """Both hosts."""
    sockets = tmp_path_factory.mktemp("ssh")
    chosen = {"mac": environment.mac, "vps": environment.vps}
    return {
        name: Target(
            name,
            connect(variables[machine.host], sockets),
            machine,
            variables[machine.host][f"portiere_link_{name}_address"],
        )
        for name, machine in chosen.items()
    }


@pytest.fixture(scope="session")
def mac(targets: dict[str, Target]) -> Target:
    """The Mac."""
    return targets["mac"]


@pytest.fixture(scope="session")
def vps(targets: dict[str, Target]) -> Target:
    """The VPS."""
    return targets["vps"]


@pytest.fixture(scope="session", params=["mac", "vps"])
def target(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    """Each host in turn."""
    return targets[request.param]


@pytest.fixture(scope="session")
def outside(environment: Environment) -> Outside:
    """Where nobody should get further than the tunnel lets them."""
    return Outside(tuple(environment.outside))


@pytest.fixture(scope="session")
def secrets(environment: Environment, variables: dict[str, dict[str, Any]]) -> Secrets:
    """The vault's values, all that are secret."""
    return Secrets.of(variables[environment.mac.host], environment.not_secret)

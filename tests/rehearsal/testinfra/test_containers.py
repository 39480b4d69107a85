"""The VPS's compose projects."""

import json
from typing import Any

import pytest

from tests.rehearsal.testinfra.conftest import ENVIRONMENT, Target
from tests.rehearsal.testinfra.environment import load

SERVICES = [
    f"{project}/{service}"
    for project, services in load(ENVIRONMENT).vps.containers.items()
    for service in services
]
STACK = "docker compose --project-directory /opt/portiere/stack"


@pytest.fixture(scope="module")
def containers(vps: Target) -> dict[str, dict[str, Any]]:
    """`docker inspect` of every container of the projects, by project and service."""
    ids = vps.host.check_output(
        "docker ps --all --quiet --filter label=com.docker.compose.project"
    ).split()
    found = json.loads(vps.host.check_output(f"docker inspect {' '.join(ids)}"))
    return {_name(item["Config"]["Labels"]): item for item in found}


def _name(labels: dict[str, str]) -> str:
    parts = ("project", "service")
    return "/".join(labels[f"com.docker.compose.{part}"] for part in parts)


def test_services(containers: dict[str, dict[str, Any]]) -> None:
    assert sorted(containers) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_healthy(containers: dict[str, dict[str, Any]], service: str) -> None:
    state = containers[service]["State"]
    assert state["Running"]
    assert state["Health"]["Status"] == "healthy", state["Health"]["Log"][-1]["Output"]
    assert containers[service]["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_confined(containers: dict[str, dict[str, Any]], service: str) -> None:
    item = containers[service]
    limits = item["HostConfig"]
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert not limits["CapAdd"]
    assert not limits["Privileged"]
    assert "no-new-privileges:true" in limits["SecurityOpt"]
    assert limits["LogConfig"]["Config"]["max-size"] == "10m"
    assert item["Config"]["User"].partition(":")[0] not in {"", "0", "root"}
    assert not any("docker.sock" in mount["Source"] for mount in item["Mounts"])


@pytest.mark.parametrize("service", SERVICES)
def test_published_on_loopback_and_the_link_only(
    containers: dict[str, dict[str, Any]], vps: Target, service: str
) -> None:
    ports = containers[service]["NetworkSettings"]["Ports"]
    addresses = {binding["HostIp"] for bindings in ports.values() for binding in bindings or []}
    assert addresses <= {"127.0.0.1", vps.link_address}


def test_gateway_is_the_release_that_was_built(
    containers: dict[str, dict[str, Any]], vps: Target
) -> None:
    version = vps.host.check_output(f"{STACK} exec --no-TTY gateway portiere --version").split()[-1]
    assert containers["portiere/gateway"]["Config"]["Image"].startswith(f"portiere:{version}-")


def test_gateway_stands_by(vps: Target) -> None:
    answer = vps.host.check_output(
        """python3 -c 'import urllib.request as u; """
        """print(u.urlopen("http://127.0.0.1:8080/health", timeout=5).read().decode())'"""
    )
    assert json.loads(answer)["role"] == "standby"


def test_docker_starts_after_the_link(vps: Target) -> None:
    """Else the ports on the link's address can't be bound at boot."""
    after = vps.host.check_output("systemctl show --property=After --value docker.service")
    assert "wg-quick@portiere.service" in after.split()


def test_the_cloud_layer_hears_of_the_desk(vps: Target) -> None:
    """The Mac's node asks for commands over the link, signed."""
    answer = vps.host.check_output(
        """python3 -c 'import urllib.request as u; """
        """print(u.urlopen("http://127.0.0.1:8081/ready", timeout=5).read().decode())'"""
    )
    assert json.loads(answer)["ready"] is True

"""The compose file of the desk on the VPS, as the role renders it."""

import re
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader
from ansible.template import trust_as_template

from .conftest import PROJECT
from .inventory import rendered, templar

PROGRAMS = {"gateway": "serve", "worker": "work", "node": "node"}
UNITS = {"m": 1, "g": 1024}


@pytest.fixture(scope="module")
def services() -> Any:
    """The services by name, with the limits of the roles' defaults."""
    init_plugin_loader()
    file = PROJECT / "roles/stack/templates/compose.yaml.j2"
    found = templar(
        "vps",
        "desk_settings",
        "stack",
        ansible_search_path=[str(PROJECT)],
        portiere_templates="",
        stack_memory_limits=limits("stack"),
    ).copy_with_new_env(searchpath=[str(file.parent), str(PROJECT / "templates")])
    text = found.template(
        trust_as_template(file.read_text()),
        escape_backslashes=False,
        overrides={"trim_blocks": True},
    )
    return yaml.safe_load(text)["services"]


def limits(role: str) -> dict[str, str]:
    """The default memory limits of a role."""
    defaults = yaml.safe_load((PROJECT / f"roles/{role}/defaults/main.yml").read_text())
    found: dict[str, str] = defaults[f"{role}_memory_limits"]
    return found


def test_all_of_the_desk_runs_always(services: Any) -> None:
    assert {*services} == {"redis", "tunnel", "tunnel-vps", *PROGRAMS}
    for name, verb in PROGRAMS.items():
        assert services[name]["command"] == ["portiere", verb]
        assert services[name]["image"] == "portiere:0.1.0-00000000"
        assert services[name]["restart"] == "unless-stopped"
    assert all("healthcheck" in service for service in services.values())


def test_the_programs_share_a_database_and_the_node_alone_sees_copies_and_backups(
    services: Any,
) -> None:
    backups = ["/srv/portiere-backup", "/srv/portiere-left"]
    for name in PROGRAMS:
        first, *bound = services[name]["volumes"]
        assert first == "data:/var/lib/portiere"
        writable = [one["source"] for one in bound if not one["read_only"]]
        assert writable == (["/srv/portiere/litestream", *backups] if name == "node" else [])
        assert ("group_add" in services[name]) == (name == "node")


def test_what_a_program_reads_at_its_start_makes_it_anew(services: Any) -> None:
    labels = [services[name]["labels"] for name in PROGRAMS]
    assert all(one == labels[0] for one in labels)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in labels[0].values())
    assert {*labels[0]} == {"app.portiere.files", "app.portiere.templates"}


def test_each_tunnel_has_its_own_credentials(services: Any) -> None:
    for name in ("tunnel", "tunnel-vps"):
        assert services[name]["secrets"] == [f"{name}.yml", f"{name}.json"]
        assert services[name]["command"][2] == f"/run/secrets/{name}.yml"


def test_both_projects_fit_a_machine_of_2_gb(services: Any) -> None:
    """With some 250 MiB for the system and Docker."""
    of_stack, of_cloud = limits("stack"), limits("cloud")
    assert {name: one["mem_limit"] for name, one in services.items()} == of_stack
    here = rendered("vps", "cloud", expression="cloud_services")
    amounts = [*of_stack.values(), *(of_cloud[name] for name in here)]
    assert sum(int(one[:-1]) * UNITS[one[-1]] for one in amounts) <= 1950 - 250

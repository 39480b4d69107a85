"""The two inventories have one shape, and neither holds anything real."""

from typing import Any

import pytest
import yaml

from .conftest import PROJECT

INVENTORIES = PROJECT / "inventories"
REHEARSAL, PRODUCTION = INVENTORIES / "rehearsal", INVENTORIES / "production.example"
FILES = sorted(
    str(path.relative_to(REHEARSAL)) for path in (REHEARSAL / "group_vars").rglob("*.yml")
)


def keys(value: Any) -> Any:
    """The keys of mappings, to the bottom."""
    return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_both_have_the_same_files() -> None:
    other = (PRODUCTION / "group_vars").rglob("*.yml")
    assert sorted(str(path.relative_to(PRODUCTION)) for path in other) == FILES
    assert "group_vars/all/vault.yml" in FILES


@pytest.mark.parametrize("name", FILES)
def test_both_have_the_same_keys(name: str) -> None:
    ours, theirs = (yaml.safe_load((place / name).read_text()) for place in (REHEARSAL, PRODUCTION))
    assert ours.keys() == theirs.keys()
    facts = "portiere_property"
    assert keys(ours.get(facts)) == keys(theirs.get(facts))


@pytest.mark.parametrize("place", [REHEARSAL, PRODUCTION], ids=lambda path: path.name)
def test_both_have_the_same_groups_and_hosts(place: Any) -> None:
    hosts = yaml.safe_load((place / "hosts.yml").read_text())["all"]["children"]
    assert {group: list(content["hosts"]) for group, content in hosts.items()} == {
        "mac_hosts": ["mac"],
        "vps_hosts": ["vps"],
        "workers": [],
    }


def test_the_example_holds_placeholders_where_secrets_go() -> None:
    vault = yaml.safe_load((PRODUCTION / "group_vars/all/vault.yml").read_text())
    assert set(vault.values()) == {"CHANGE-ME"}


def test_secrets_are_in_the_vault_and_nothing_else() -> None:
    for place in (REHEARSAL, PRODUCTION):
        for path in (place / "group_vars").rglob("*.yml"):
            names = yaml.safe_load(path.read_text())
            in_vault = [name.startswith("vault_") for name in names]
            assert all(in_vault) if path.name == "vault.yml" else not any(in_vault)


def test_the_rehearsals_values_say_that_they_are_invented() -> None:
    assert "Invented values" in (REHEARSAL / "group_vars/all/vault.yml").read_text()

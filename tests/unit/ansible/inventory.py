"""The rehearsal's inventory and the roles' own variables, as a role of one host sees them."""

from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from .conftest import PROJECT

INVENTORY = PROJECT / "inventories/rehearsal"
GROUPS = {"mac": "mac_hosts", "vps": "vps_hosts"}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIInvented"


def trusted(value: Any) -> Any:
    """As Ansible takes what it reads from a role's or an inventory's files."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(inner) for key, inner in value.items()}
    return [trusted(inner) for inner in value] if isinstance(value, list) else value


def templar(host: str, *roles: str, **given: Any) -> Templar:
    """What renders for ``host`` with the variables of ``roles``, of which the last is being run."""
    variables: dict[str, Any] = {
        "ansible_managed": "Ansible managed",
        "group_names": [GROUPS[host]],
        "groups": {group: [name] for name, group in GROUPS.items()},
        "hostvars": {name: {} for name in GROUPS},
        "inventory_dir": str(INVENTORY),
        "inventory_hostname": host,
        "role_name": roles[-1],
        "role_path": str(PROJECT / "roles" / roles[-1]),
        "wheelhouse_release_id": "0.1.0+00000000",
        # The role `desk` reads it from the VPS.
        "desk_replica_host_key": HOST_KEY,
    }
    own = (f"roles/{role}/{part}/main.yml" for role in roles for part in ("defaults", "vars"))
    files = (
        *(PROJECT / path for path in own),
        *sorted((INVENTORY / "group_vars/all").glob("*.yml")),
        *sorted((INVENTORY / "group_vars" / GROUPS[host]).glob("*.yml")),
    )
    for file in files:
        if file.exists():
            found = trusted(yaml.safe_load(file.read_text()))
            variables |= {name: value for name, value in found.items() if name not in variables}
    loader = DataLoader()
    loader.set_basedir(str(PROJECT))
    return Templar(loader=loader, variables={**variables, **given})


def rendered(host: str, *roles: str, expression: str, **given: Any) -> Any:
    """What an expression comes to there."""
    return templar(host, *roles, **given).template(trust_as_template(f"{{{{ {expression} }}}}"))

"""What a set of hosts must look like: one file of `vars/` an environment, read into these models.

How to reach the hosts is asked of Ansible's inventory, so that it is written down once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

PROJECT = Path(__file__).resolve().parents[3]
VARS = Path(__file__).with_name("vars")

# All that the tests need of the inventory, templated and with the vault open.
_WANTED = (
    "{{ hostvars[inventory_hostname] | dict2items"
    " | selectattr('key', 'match', '(vault|portiere|ansible)_') | items2dict | to_json }}"
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listening(_Strict):
    """One socket, or many alike: what is left out may be anything."""

    protocol: Literal["tcp", "udp"]
    address: str | None = None
    port: int | None = None
    process: str | None = Field(None, description="Start of the program's name.")
    reason: str = Field(min_length=10, description="Why it may listen there.")


class Machine(_Strict):
    """What one host must look like."""

    host: str = Field(description="Its name in the inventory.")
    jobs: list[str] = Field([], description="Labels of launchd daemons that always run.")
    timed_jobs: list[str] = Field([], description="Of those that are started by time, and end.")
    containers: dict[str, list[str]] = Field({}, description="Services of each compose project.")
    redis_cli: str = Field(description="redis-cli, as a shell on the host calls it.")
    redis_secret: str = Field(description="A shell command that prints the program's password.")
    listening: list[Listening] = Field(description="Must listen.")
    exceptions: list[Listening] = Field(description="May listen beside loopback and the link.")
    closed_outside: list[int] = Field(description="TCP ports that must not answer from outside.")
    public_address: str = Field(description="Where the outside would look for the host.")
    hidden_addresses: list[str] = Field(
        [], description="Further addresses of the host, which the outside must not reach either."
    )


class Environment(_Strict):
    """One file of `vars/`."""

    inventory: Path
    mutating: bool = Field(description="Whether tests that change or restart something may run.")
    reboot: list[str] = Field([], description="Command that reboots the host named after it.")
    outside: list[str] = Field([], description="What to put before a command run from outside.")
    public_url: str = Field(description="The gateway as guests' messages reach it.")
    public_resolve: str | None = Field(
        None, description="curl's --resolve for that URL, where no DNS knows the name."
    )
    not_secret: list[str] = Field(description="Variables of the vault that are no secret.")
    mac: Machine
    vps: Machine


def load(name: str) -> Environment:
    """Read `vars/<name>.yml`."""
    file = VARS / f"{name}.yml"
    if not file.exists():
        known = ", ".join(sorted(path.stem for path in VARS.glob("*.yml")))
        raise FileNotFoundError(f"PORTIERE_TESTINFRA={name}: there are only {known} in {VARS}")
    return Environment.model_validate(yaml.safe_load(file.read_text()))


def host_variables(environment: Environment) -> dict[str, dict[str, Any]]:
    """Each host's variables, by its name in the inventory.

    Raises:
        RuntimeError: Ansible could not read them; its own words are shown.
    """
    answer = subprocess.run(
        [
            Path(sys.executable).with_name("ansible"),
            *("--inventory", PROJECT / environment.inventory),
            *("all", "--module-name", "ansible.builtin.debug", "--args", f"msg={_WANTED}"),
        ],
        cwd=PROJECT,
        env={
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(f"ansible can't read {environment.inventory}:\n{answer.stderr}")
    (task,) = json.loads(answer.stdout)["plays"][0]["tasks"]
    return {
        name: result["msg"] if isinstance(result["msg"], dict) else json.loads(result["msg"])
        for name, result in task["hosts"].items()
    }

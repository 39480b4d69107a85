"""The shared templates, rendered by Ansible's own templar, without a host."""

import io
import plistlib
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from dotenv import dotenv_values

from .conftest import PROJECT, load


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """Let Ansible find its own lookups and filters."""
    init_plugin_loader()


def render(name: str, **variables: Any) -> str:
    """Render templates/<name> as a task of the role `desk` would."""
    templar = Templar(
        loader=DataLoader(),
        variables={"role_name": "desk", "ansible_managed": "Ansible managed", **variables},
    )
    plist = load("ansible/plugins/filter/plist.py")
    templar.environment.filters["to_plist"] = plist.to_plist
    text = trust_as_template((PROJECT / "templates" / name).read_text())
    # As the module `template` does it: a backslash is one, and a block's own line is none.
    rendered: str = templar.template(
        text, escape_backslashes=False, overrides={"trim_blocks": True}
    )
    return rendered


def daemon(**more: Any) -> dict[str, Any]:
    described = {"label": "app.portiere.x", "arguments": ["/bin/x", "a & b"], **more}
    content: dict[str, Any] = plistlib.loads(
        render("launchd.plist.j2", desk_daemon=described).encode()
    )
    return content


def test_a_daemon_starts_at_boot_and_is_kept_alive() -> None:
    content = daemon(user="_portiere")
    assert content["RunAtLoad"] is True
    assert content["KeepAlive"] is True
    assert content["UserName"] == "_portiere"
    assert content["ProgramArguments"] == ["/bin/x", "a & b"]
    assert content["SoftResourceLimits"]["NumberOfFiles"] > 256
    assert content["Umask"] == 0o077


def test_what_a_daemon_does_not_say_is_left_out() -> None:
    assert {"EnvironmentVariables", "WorkingDirectory", "StandardErrorPath"} & set(
        daemon()
    ) == set()
    assert daemon(environment={"A": "b"})["EnvironmentVariables"] == {"A": "b"}


def test_settings_come_back_as_they_were() -> None:
    settings = {
        "PORTIERE_A": "plain",
        "PORTIERE_B": "redis://u:p@127.0.0.1:6379/0",
        "PORTIERE_C": "a#b $HOME 'quoted' \"double\" back\\slash=",
        "PORTIERE_D": "k1:AAAA=,k2:BBBB=",
    }
    text = render("portiere.env.j2", desk_environment=settings)
    assert dotenv_values(stream=io.StringIO(text)) == settings
    assert text.startswith("#")

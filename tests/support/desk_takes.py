"""Whether the desk takes what the cloud asks of it: by the desk's own schemas and templates.

It can't show that the desk then does it: the guest may be gone, or the rules of sending forbid it.
"""

import json
from typing import Any

from app.commands.asked import read
from app.messages import catalogue
from tests.support.cloud_layer import Layer

TEMPLATES = catalogue.load(None, "Pensione Aurora", "spoki")


def taken(cloud: Layer) -> int:
    """How many commands were issued. Raises where the desk would refuse one."""
    commands = cloud.commands()
    for name, payload in commands:
        read(json.dumps({"id": "any", "name": name, "payload": payload}))
        if template := payload.get("template"):
            _fits(template)
    return len(commands)


def _fits(template: dict[str, Any]) -> None:
    assert set(template["variables"]) == set(TEMPLATES.variables(template["name"]))

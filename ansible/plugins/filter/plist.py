"""A filter that writes a property list the way launchd reads it."""

from __future__ import annotations

import plistlib
from typing import Any

DOCUMENTATION = """
name: to_plist
short_description: A mapping as an XML property list
description:
  - Written by Python's own plistlib, so that no character of a value can break the XML.
  - Keys are sorted, so that the same mapping always gives the same text.
options:
  _input:
    description: The mapping. Only what a property list can hold, so no null.
    type: dict
    required: true
"""

EXAMPLES = """
plist: "{{ {'Label': 'app.portiere.redis', 'RunAtLoad': true} | to_plist }}"
"""

RETURN = """
_value:
  description: The property list as text.
  type: str
"""


def to_plist(value: dict[str, Any]) -> str:
    """Return `value` as XML; TypeError when it holds what a property list can't."""
    return plistlib.dumps(value, fmt=plistlib.FMT_XML, sort_keys=True).decode()


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Any]:
        """Name the filters of this file."""
        return {"to_plist": to_plist}

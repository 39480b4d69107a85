"""Write each role's README.md from its meta/argument_specs.yml, or check that they are current.

python ansible/generate_role_readmes.py [--check]
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[1] / "roles"
NOTE = "<!-- Written by ansible/generate_role_readmes.py from meta/argument_specs.yml. -->"


def readme(role: Path) -> str:
    """Return the README of the role in the directory `role`."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    defaults = _defaults(role)
    main = specs.pop("main")
    parts = [f"# {role.name}\n\n{NOTE}\n", *_entry(main, defaults)]
    for name, spec in specs.items():
        parts += [f"## Entry point `{name}`\n", *_entry(spec, defaults)]
    return "\n".join(parts)


def _entry(spec: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    description = spec.get("description", [])
    lines = [description] if isinstance(description, str) else description
    text = "".join(f"- {_markdown(line)}\n" for line in lines)
    options = spec.get("options", {})
    rows = "".join(_row(name, option, defaults) for name, option in options.items())
    head = "| variable | type | default | what it is |\n|---|---|---|---|\n"
    return [f"{_markdown(spec['short_description'])}.\n", text, *([head + rows] if rows else [])]


def _row(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    kind = option.get("type", "str")
    if "elements" in option:
        kind = f"{kind} of {option['elements']}"
    default = f"`{_inline(defaults[name])}`" if name in defaults else "required"
    cells = (f"`{name}`", kind, default, _markdown(_joined(option["description"])))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _defaults(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def _inline(value: object) -> str:
    """One line of YAML; a template on several lines is put on one."""
    if isinstance(value, str):
        return " ".join(value.split()) or '""'
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()


def _joined(text: str | list[str]) -> str:
    return " ".join([text] if isinstance(text, str) else text)


def _markdown(text: str) -> str:
    """Turn Ansible's C(), V() and O() into backticks."""
    return re.sub(r"\b[CVO]\(([^)]*)\)", r"`\1`", text)


def stale(roles: Path = ROLES) -> list[Path]:
    """Return the READMEs that aren't what the specs say."""
    found = []
    for specs in sorted(roles.glob("*/meta/argument_specs.yml")):
        path = specs.parents[1] / "README.md"
        if not path.exists() or path.read_text() != readme(specs.parents[1]):
            found.append(path)
    return found


def main() -> int:
    """Write what is stale, or under --check name it and return 1."""
    parser = argparse.ArgumentParser(description="Keep the roles' README.md files current.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if one is stale")
    check = parser.parse_args().check
    paths = stale()
    for path in paths:
        sys.stdout.write(f"{path} {'is stale' if check else 'written'}\n")
        if not check:
            path.write_text(readme(path.parent))
    return int(check and bool(paths))


if __name__ == "__main__":
    sys.exit(main())

"""What every role of the project keeps to."""

import re
from pathlib import Path
from typing import Any

import yaml

from .conftest import PROJECT, ROLES, load


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def options(role: Path) -> dict[str, Any]:
    """The options of all entry points, by name."""
    specs = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: opt for spec in specs.values() for name, opt in spec.get("options", {}).items()}


def tasks(content: Any) -> list[dict[str, Any]]:
    """All tasks of a tasks file, those within blocks too; what a block says holds for each."""
    found = []
    for task in content or []:
        inner = [task[part] for part in ("block", "rescue", "always") if part in task]
        if not inner:
            found.append(task)
        shared = {key: task[key] for key in ("no_log", "diff", "become") if key in task}
        found += [{**shared, **each} for part in inner for each in tasks(part)]
    return found


def all_tasks(role: Path) -> list[tuple[Path, dict[str, Any]]]:
    files = [*(role / "tasks").glob("*.yml"), *(role / "handlers").glob("*.yml")]
    return [(path, task) for path in files for task in tasks(read(path))]


def test_there_are_roles() -> None:
    assert {"redis", "release", "desk", "tunnel"} <= {role.name for role in ROLES}


def test_defaults_and_specs_name_the_same_variables(role: Path) -> None:
    defaults = read(role / "defaults" / "main.yml") or {}
    assert set(defaults) == set(options(role))


def test_a_default_in_the_specs_is_the_one_in_the_defaults(role: Path) -> None:
    defaults = read(role / "defaults" / "main.yml") or {}
    stated = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert stated == {name: defaults[name] for name in stated}


def test_every_variable_has_the_roles_name_before_it(role: Path) -> None:
    names = {*(read(role / "defaults" / "main.yml") or {}), *(read(role / "vars/main.yml") or {})}
    assert {name for name in names if not name.startswith(f"{role.name}_")} == set()


def test_every_default_has_a_comment(role: Path) -> None:
    """A paragraph of defaults is introduced by a comment."""
    path = role / "defaults" / "main.yml"
    text = path.read_text().removeprefix("---\n") if path.exists() else ""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    assert [part for part in paragraphs if not part.lstrip().startswith("#")] == []


def test_the_readme_is_what_the_specs_say(role: Path) -> None:
    generator = load("ansible/generate_role_readmes.py")
    path = role / "README.md"
    assert path.exists(), "run ansible/generate_role_readmes.py"
    assert path.read_text() == generator.readme(role), "run ansible/generate_role_readmes.py"


def test_whoever_writes_a_secret_hides_it(role: Path) -> None:
    """A template that names a secret is written without a log and without a diff."""
    secret = re.compile(
        r"password|secret(?!s_|_files)|private_key|seal_key|api_key|_environment|_property\b"
    )
    templates = {
        path.name: path.read_text()
        for place in (role / "templates", PROJECT / "templates")
        for path in place.glob("*")
    }
    careless = []
    for path, task in all_tasks(role):
        source = task.get("ansible.builtin.template", {}).get("src", "")
        text = re.sub(r"\{#.*?#\}", "", templates.get(Path(source).name, ""), flags=re.DOTALL)
        used = " ".join(re.findall(r"\{[{%].*?[}%]\}", text, flags=re.DOTALL))
        hidden = task.get("no_log") is True and task.get("diff") is False
        if secret.search(used) and not hidden and "launchd.plist" not in source:
            careless.append(f"{path.name}: {task['name']}")
    assert careless == []


def test_no_role_knows_of_the_rehearsal(role: Path) -> None:
    words = re.compile(r"rehears|stand-?in", re.IGNORECASE)
    knowing = [
        str(path.relative_to(PROJECT))
        for path in role.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and words.search(path.read_text())
    ]
    assert knowing == []


def test_every_role_has_its_place_in_site(role: Path) -> None:
    """Or is a part of one that has."""
    places = [
        PROJECT / "site.yml",
        *(PROJECT / "ansible/playbooks").glob("*.yml"),
        *(PROJECT / "roles").glob("*/tasks/*.yml"),
    ]
    named = {
        name
        for place in places
        if place.parent.parent != role
        for name in re.findall(r"(?:role|name): (\w+)$", place.read_text(), re.MULTILINE)
    }
    assert role.name in named


def plays(*playbooks: str) -> list[dict[str, Any]]:
    """All plays, those of the playbooks that one imports too."""
    found = []
    for playbook in playbooks:
        for play in read(PROJECT / playbook):
            if (imported := play.get("ansible.builtin.import_playbook")) is not None:
                found += plays(imported)
            else:
                found.append(play)
    return found


def test_site_names_no_role_that_is_not_there() -> None:
    for play in plays("site.yml"):
        for entry in play.get("roles", []):
            assert (PROJECT / "roles" / entry["role"]).is_dir()


def test_whatever_is_deployed_is_looked_at_before() -> None:
    """By its tags; and a play that changes who leads looks at no host that may be gone."""
    found = plays("site.yml")
    roles = {entry["role"]: play for play in found for entry in play.get("roles", [])}
    tags = {
        tag
        for play in found
        if "never" not in play["tags"]
        for part in [play, *play.get("roles", []), *play.get("tasks", [])]
        for tag in part.get("tags", [])
    }
    leads = {tag for play in found if "never" in play["tags"] for tag in play["tags"]}
    assert leads == {"never", "failover", "switchover", "restore", "rollback"}
    for first in ("preflight", "wheelhouse"):
        assert {*roles[first]["tags"]} == tags

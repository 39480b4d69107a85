"""Imports go down the layers only, and the cloud layer knows of the settings alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Low to high, as docs/architecture.md has them.
LAYERS = (
    (
        "settings",
        "settings_alerts",
        "settings_api",
        "settings_gateway",
        "settings_llm",
        "settings_peers",
        "settings_values",
        "hostfile",
        "logs",
        "heap",
        "signing",
    ),
    ("store",),
    ("guests",),
    ("messages",),
    ("providers",),
    ("conversation",),
    ("events",),
    ("commands",),
    ("work",),
    ("gateway",),
    (
        "cli",
        "cli_ask",
        "cli_dead_letters",
        "cli_audit",
        "cli_desk",
        "cli_guests",
        "cli_keys",
        "cli_queues",
        "cli_status",
        "demo",
        "demo_process",
    ),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "app":
            yield from (f"app.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules("app"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_layer_and_below(path: Path) -> None:
    if path == ROOT / "app/__init__.py":
        return
    above = [
        name
        for name in imported(path)
        if name.startswith("app.") and HEIGHT[name.split(".")[1]] > HEIGHT[layer(path)]
    ]
    assert not above


@pytest.mark.parametrize("path", modules("cloud_jobs"), ids=lambda path: path.name)
def test_the_cloud_layer_imports_only_settings_of_the_desk(path: Path) -> None:
    of_the_desk = {name for name in imported(path) if name.split(".")[0] == "app"}
    assert of_the_desk <= {"app.settings", "app.signing"}


def test_every_file_is_of_a_size_to_be_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*modules("app"), *modules("cloud_jobs"))
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert not long

"""Imports go down the layers only; of the desk the cloud layer knows the lowest alone."""

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
        "settings_backup",
        "settings_gateway",
        "settings_ha",
        "settings_keys",
        "settings_llm",
        "settings_peers",
        "settings_values",
        "hostfile",
        "logs",
        "heap",
        "completions",
        "queueing",
        "signing",
        "steady",
        "stopping",
        "leading",
        "lease",
        "sealing",
        "retry_after",
        "channels",
        "web",
        "durable",
    ),
    ("store",),
    ("guests",),
    ("messages",),
    ("providers",),
    ("conversation",),
    ("events",),
    ("commands",),
    ("work",),
    ("backup",),
    ("ha",),
    ("gateway",),
    (
        "cli",
        "cli_ask",
        "cli_dead_letters",
        "cli_audit",
        "cli_backup",
        "cli_database",
        "cli_desk",
        "cli_guests",
        "cli_ha",
        "cli_keys",
        "cli_queues",
        "cli_release",
        "cli_restore",
        "cli_restoring",
        "cli_status",
        "demo",
        "demo_process",
        "entry",
    ),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in {"app", "cloud_jobs"}:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
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


CLOUD_LAYERS = (
    ("settings", "settings_sources"),
    ("store",),
    ("exchange", "costs", "mail"),
    ("alerts",),
    ("runtime",),
    ("known",),
    ("sources",),
    ("agents",),
    ("jobs",),
    ("api",),
    ("processes",),
    ("cli", "cli_analytics", "cli_costs", "cli_mails", "cli_runs", "cli_snapshot"),
)
CLOUD_HEIGHT = {name: height for height, names in enumerate(CLOUD_LAYERS) for name in names}


def _cloud_height(name: str) -> int:
    """How high what the cloud layer imports stands; of the desk nothing but the lowest may."""
    package, _, rest = name.partition(".")
    if package == "app":
        return 0 if HEIGHT[rest.split(".")[0]] == 0 else len(CLOUD_LAYERS)
    return CLOUD_HEIGHT[rest.split(".")[0]] if package == "cloud_jobs" else 0


@pytest.mark.parametrize(
    "path", modules("cloud_jobs"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_cloud_layer_imports_its_own_layers_and_the_bottom_of_the_desks(path: Path) -> None:
    if path == ROOT / "cloud_jobs/__init__.py":
        return
    own = CLOUD_HEIGHT[path.relative_to(ROOT / "cloud_jobs").parts[0].removesuffix(".py")]
    above = [name for name in imported(path) if _cloud_height(name) > own]
    assert not above


def test_every_file_is_of_a_size_to_be_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*modules("app"), *modules("cloud_jobs"))
        # A migration is written by Alembic, and read once.
        if "versions" not in path.parts and (lines := len(path.read_text().splitlines())) > 300
    }
    assert not long

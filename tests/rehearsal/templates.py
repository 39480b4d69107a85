"""Message templates as a host has them whose provider has approved all: those of the project, each
with the number that the sandbox knows it by."""

from pathlib import Path

import yaml

from app.messages import catalogue
from app.providers.sandbox.templates import TEMPLATES
from tests.rehearsal.layout import CACHE, PROJECT

DIRECTORY = CACHE / "templates"
_BUNDLED = PROJECT / "app/messages/templates"
_PREFIX = "portiere_"


def write(directory: Path = DIRECTORY) -> None:
    """Write them, for the role `desk` to send."""
    directory.mkdir(parents=True, exist_ok=True)
    numbers = {template.name: template.id for template in TEMPLATES.values()}
    for path in sorted(_BUNDLED.glob("*.yml")):
        content = yaml.safe_load(path.read_text())
        number = numbers[_PREFIX + path.stem]
        content["approved"] = {"spoki": dict.fromkeys(catalogue.LANGUAGES, number)}
        (directory / path.name).write_text(yaml.safe_dump(content, allow_unicode=True))

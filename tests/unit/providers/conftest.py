"""Message templates of a property: one is approved by both providers, one by neither."""

from pathlib import Path

import pytest
import yaml

from app.messages import catalogue
from app.messages.catalogue import LANGUAGES, Catalogue

NAME = "welcome"


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """The bundled ones, with ``welcome`` approved."""
    bundled = Path(catalogue.__file__).parent / "templates" / f"{NAME}.yml"
    found = yaml.safe_load(bundled.read_text())
    found["approved"] = {
        "spoki": {"it": 7101},
        "whatsapp_cloud": {"name": "invented_welcome", "languages": list(LANGUAGES)},
    }
    folder = tmp_path_factory.mktemp("templates")
    (folder / bundled.name).write_text(yaml.safe_dump(found, allow_unicode=True))
    return catalogue.load(folder, "Casa Prova", "spoki")

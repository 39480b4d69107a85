"""The API's document, as ``portiere openapi`` prints it: no settings of this node are needed."""

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pydantic import SecretStr

from app.gateway.api import make_app
from app.settings import Settings

_EXAMPLE_FACTS: Final = Path(__file__).parents[1] / "conversation" / "property.example.yml"


def document() -> dict[str, Any]:
    """OpenAPI 3.1. The app that it is of is made in a folder that is gone afterwards."""
    key = base64.b64encode(bytes(32)).decode()
    with TemporaryDirectory() as directory:
        settings = Settings(
            _env_file=None,
            database=Path(directory) / "portiere.db",
            spoki_api_key=SecretStr("none"),
            spoki_webhook_secret=SecretStr("none"),
            seal_keys=SecretStr(f"k1:{key}"),
            index_key=SecretStr(key),
            property_file=_EXAMPLE_FACTS,
        )
        return make_app(settings).openapi()

"""The API's document, as ``portiere cloud openapi`` prints it: no settings are needed."""

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from cloud_jobs.api.app import make_app
from cloud_jobs.settings import CloudSettings


def document() -> dict[str, Any]:
    """OpenAPI 3.1. The app that it is of is made over a store that is gone afterwards."""
    key = base64.b64encode(bytes(32)).decode()
    with TemporaryDirectory() as directory:
        settings = CloudSettings(
            _env_file=None,
            store_url=SecretStr(f"sqlite:///{Path(directory) / 'cloud.db'}"),
            seal_keys=SecretStr(f"k1:{key}"),
        )
        return make_app(settings).openapi()

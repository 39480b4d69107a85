"""Recorded shapes of the providers' webhooks, with invented values: tests/samples.

``good`` is what a provider sends; ``odd`` is signed and of its envelope, and malformed inside.
"""

import json
from pathlib import Path
from typing import Any

from app.settings import ProviderName

SAMPLES = Path(__file__).parents[1] / "samples"


def names(provider: ProviderName) -> list[str]:
    """All samples of a provider, as ``good/text``."""
    return [
        f"{path.parent.name}/{path.stem}" for path in sorted((SAMPLES / provider).rglob("*.json"))
    ]


def load(provider: ProviderName, name: str) -> Any:
    """One sample, parsed."""
    return json.loads((SAMPLES / provider / f"{name}.json").read_text())


def body(provider: ProviderName, name: str) -> bytes:
    """One sample, as it is posted."""
    return json.dumps(load(provider, name), ensure_ascii=False).encode()

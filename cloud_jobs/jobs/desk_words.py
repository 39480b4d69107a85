"""What the people at the desk are told, in the host's language; the words are in desk_words.yml."""

from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from pydantic import TypeAdapter

from cloud_jobs.runtime.job import RunContext


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """The file: by kind of alert and language."""
    text = resources.files(__package__).joinpath("desk_words.yml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, dict[str, str]]).validate_python(yaml.safe_load(text))


def alert_desk(run: RunContext, kind: str, about: str, **values: Any) -> None:
    """Tell the desk, once for ``kind`` and ``about`` (what a command's key is made of)."""
    text = words()[kind][run.settings.default_language].format(**values)
    run.command(
        f"alert:{kind}", "ALERT_DESK", {"key": f"{kind}:{about}", "kind": kind, "text": text}
    )

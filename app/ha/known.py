"""What a node must not forget: the newest term it has a copy of, and the newest it heard of."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.durable import write_durably


class Known(BaseModel):
    """``copied``: the term whose copy is here or at the place. ``term``: the highest ever heard."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    copied: int | None = None
    term: int = 0


def remember(path: Path, known: Known) -> None:
    """Write it down, durably."""
    write_durably(path, known.model_dump_json())


def recall(path: Path) -> Known:
    """What was written down; nothing where there is none that can be read."""
    try:
        return Known.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Known()

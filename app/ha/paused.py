"""``portiere ha pause``: no change of leader by itself, until a person resumes.

A file, so that it outlives restarts and holds while no node runs. The node looks at it before it
acquires the lease or gives it back, and tells the other one (`app.lease.Report.paused`), which
holds to it as well. What a person asks for is done all the same.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.durable import write_durably

_FILE: Final = "paused.json"


class Pause(BaseModel):
    """Who paused, why and since when."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    by: str
    reason: str
    since: datetime = Field(default_factory=lambda: datetime.now(UTC))


# What can't be read was written by somebody who wanted a pause.
_UNREADABLE: Final = Pause(
    by="unknown", reason=f"{_FILE} can't be read", since=datetime.fromtimestamp(0, UTC)
)


def paused(directory: Path) -> Pause | None:
    """The pause of this node; None if there is none."""
    try:
        return Pause.model_validate_json((directory / _FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        return _UNREADABLE


def pause(directory: Path, by: str, reason: str) -> bool:
    """Pause, durably; False if it was paused already, and stays as it was."""
    if paused(directory) is not None:
        return False
    write_durably(directory / _FILE, Pause(by=by, reason=reason).model_dump_json())
    return True


def resume(directory: Path) -> bool:
    """Go on; False if it was not paused."""
    try:
        (directory / _FILE).unlink()
    except FileNotFoundError:
        return False
    return True

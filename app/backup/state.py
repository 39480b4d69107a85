"""What this machine knows of its backups, in a file: for the status, the metrics and the alerts."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.backup.kinds import Kind
from app.durable import write_durably


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Made(_Model):
    """The newest snapshot of a kind in one repository: when its data are from, its id."""

    at: datetime
    snapshot: str


class Backup(_Model):
    """One kind in one repository. ``failed``: why the last attempt came to nothing, None if it
    didn't; ``failed_at``: when that was, ``failing_since``: when the first one in a row was."""

    made: Made | None = None
    failed: str | None = None
    failed_at: datetime | None = None
    failing_since: datetime | None = None


class Drill(_Model):
    """The last time that a kind was restored beside the real one, and whether that was good.

    ``made_at``: when the data that it restored are from. ``failed``: why it was not. ``counts``:
    rows by table, for the next one to compare with.
    """

    at: datetime
    made_at: datetime | None = None
    failed: str | None = None
    found: str = ""
    counts: dict[str, int] = {}


class State(_Model):
    """``backups``: by kind and repository's address. ``drills``: by kind, and ``litestream``.

    ``since``: since when this machine is to back up.
    """

    since: datetime | None = None
    backups: dict[Kind, dict[str, Backup]] = {}
    drills: dict[str, Drill] = {}
    # When each repository was last pruned and checked, and what the check found, by its address.
    kept: dict[str, Drill] = {}

    def of(self, kind: Kind, address: str) -> Backup:
        """One kind in one repository; nothing where it was never tried."""
        return self.backups.get(kind, {}).get(address, Backup())

    def made_at(self, kind: Kind, address: str) -> datetime | None:
        """When the data of the newest snapshot there are from; None: there is none."""
        made = self.of(kind, address).made
        return made.at if made else None

    def with_made(self, kind: Kind, address: str, made: Made) -> "State":
        """The same, but that a snapshot was made."""
        return self._with(kind, address, Backup(made=made))

    def with_failed(self, kind: Kind, address: str, why: str, now: datetime) -> "State":
        """The same, but that none could be made."""
        before = self.of(kind, address)
        since = before.failing_since or now
        failed = Backup(made=before.made, failed=why, failed_at=now, failing_since=since)
        return self._with(kind, address, failed)

    def _with(self, kind: Kind, address: str, backup: Backup) -> "State":
        of_kind = {**self.backups.get(kind, {}), address: backup}
        return self.model_copy(update={"backups": {**self.backups, kind: of_kind}})


def read_state(directory: Path) -> State:
    """What is known; nothing, where there is no file or it can't be read."""
    try:
        return State.model_validate_json((directory / "state.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return State()


def write_state(directory: Path, state: State) -> None:
    """Keep it, whole or not at all; the caller holds the backup's lock."""
    write_durably(directory / "state.json", state.model_dump_json())

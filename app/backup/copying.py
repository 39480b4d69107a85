"""The other machine's own snapshots, copied to this one: what the VPS has must survive the VPS.

The repository is on the VPS. What the leader backs up is on the Mac anyway; the VPS's own logs,
configuration and cloud store would be on one disk alone.
"""

from datetime import datetime
from typing import Final

from app.backup.keeping import is_due, keep, note
from app.backup.kinds import PLANS
from app.backup.restic import (
    BackupError,
    Repository,
    copy,
    drop,
    exists,
    initialise,
    repositories,
    repository,
    snapshots,
)
from app.backup.state import Drill, read_state
from app.settings import Settings

_ITS_OWN: Final = tuple(kind for kind, plan in PLANS.items() if not plan.by_leader)


def copy_due(settings: Settings, now: datetime) -> None:
    """Copy what the other machine has of its own, once a night, and note what came of it.

    Nothing where the first repository is on this machine. The caller holds the backup's lock.
    """
    source = _on_the_other(settings)
    if source is None:
        return
    ours = copies(settings)
    if is_due(read_state(settings.backup_directory), ours, now):
        note(settings, ours, copy_others(source, ours, settings.node_name, now))


def copies(settings: Settings) -> Repository:
    """The repository here that they are copied to."""
    return repository(settings, str(settings.backup_directory / "others"))


def copy_others(source: Repository, to: Repository, node: str, now: datetime) -> Drill:
    """Copy what other hosts than ``node`` have of their own, and keep the copies as the rest."""
    try:
        theirs = [one for one in snapshots(source) if one.host != node and one.kind in _ITS_OWN]
        if not exists(to):
            initialise(to, like=source)
        for host in sorted({one.host for one in theirs}):
            copy(source, to, host=host, kinds=_ITS_OWN)
        # With other tags it is another snapshot: the one with those that it had is in the way.
        tags = {one.original: set(one.tags) for one in theirs}
        drop(
            to,
            [
                one
                for one in snapshots(to)
                if tags.get(one.original, set(one.tags)) != set(one.tags)
            ],
        )
    except BackupError as error:
        return Drill(at=now, failed=str(error))
    return keep(to, now)


def _on_the_other(settings: Settings) -> Repository | None:
    return next((one for one in repositories(settings) if one.address.startswith("rclone:")), None)

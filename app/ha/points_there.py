"""All points that can be gone back to from here: of replication, and in the backups."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.points import Saved, Span
from app.backup.restic import BackupError
from app.ha.replicated import PlaceError, spans
from app.settings import Settings


@dataclass(frozen=True)
class There:
    """What was found. ``unreached``: what could not be looked at, and what to do about it."""

    spans: Sequence[Span]
    databases: Sequence[Saved]
    queues: Sequence[Saved]
    unreached: Sequence[str]

    @property
    def term(self) -> int:
        """The highest that was ever replicated: the next one must be above it."""
        return max((span.term for span in self.spans), default=0)


def look(settings: Settings) -> There:
    """Look everywhere; what can't be reached is said, and is no failure while there is another."""
    unreached: list[str] = []
    replicated: list[Span] = []
    saved: dict[Kind, list[Saved]] = {Kind.SQLITE: [], Kind.REDIS: []}
    if settings.is_replicated:
        try:
            replicated = spans(settings)
        except PlaceError as error:
            unreached.append(str(error))
    for repository in restic.repositories(settings):
        try:
            for kind, found in saved.items():
                found += [
                    Saved(repository.address, one)
                    for one in restic.snapshots(repository, kind=kind)
                ]
        except BackupError as error:
            unreached.append(str(error))
    return There(replicated, saved[Kind.SQLITE], saved[Kind.REDIS], unreached)

"""Whether this machine leads: written by its node, read by whoever acts.

The node (`app.ha.node`) holds the lease and writes down how this machine stands. The gateway, the
worker and the node's own threads read it, each time before they act: a process that was frozen
reads on waking that its time is over.
"""

import json
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from app import steady
from app.settings import Settings


class Role(StrEnum):
    """What a machine does. ``handing_over``: it led until now, and finishes what is in hand."""

    LEADER = "leader"
    HANDING_OVER = "handing_over"
    STANDBY = "standby"


@dataclass(frozen=True)
class Standing:
    """How this machine stands. Times are `app.steady`'s.

    ``valid_until``: when its lease is over; None has no end. ``leader``: the name of who leads, as
    far as is known. ``doubt_until``: until then nothing is done that the last leader may have done
    already, unknown to us (`docs/failover.md`).
    """

    role: Role
    term: int
    leader: str | None = None
    valid_until: float | None = None
    doubt_until: float = 0


class Leadership(Protocol):
    """How this machine stands, at any moment."""

    def standing(self) -> Standing:
        """As it was last written down."""

    def term(self) -> int | None:
        """The term in which this machine may act at this very moment; None: it may not."""

    def in_doubt(self) -> bool:
        """Whether what the last leader may have done is still waited for."""


class Alone:
    """The leadership of a machine without another: it leads, always, in term 0."""

    def standing(self) -> Standing:
        """Leads, without end."""
        return Standing(Role.LEADER, term=0)

    def term(self) -> int | None:
        """0."""
        return 0

    def in_doubt(self) -> bool:
        """Never: nobody led before."""
        return False


NOBODY: Final = Standing(Role.STANDBY, term=0)


class Kept:
    """The leadership that the node keeps in ``path``; a file of an earlier boot says nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Both at once: a thread that is overtaken while it reads must not leave old beside new.
        self._read: tuple[tuple[int, int] | None, Standing] = (None, NOBODY)

    def standing(self) -> Standing:
        """What stands in the file; looked for at each call, read when it has changed."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return NOBODY
        # A new file each time: its number changes, even within the clock's grain.
        seen = (found.st_mtime_ns, found.st_ino)
        before, standing = self._read
        if seen != before:
            standing = _read(self._path)
            self._read = (seen, standing)
        return standing

    def term(self) -> int | None:
        """The term, while this machine leads and its lease lasts."""
        standing = self.standing()
        if standing.role is not Role.LEADER:
            return None
        if standing.valid_until is not None and steady.now() >= standing.valid_until:
            return None
        return standing.term

    def in_doubt(self) -> bool:
        """Whether the time of doubt after a takeover is not over yet."""
        return steady.now() < self.standing().doubt_until


def standing_file(settings: Settings) -> Path:
    """Where the node of these settings writes down how the machine stands."""
    return settings.ha_directory / "standing.json"


def leadership_of(settings: Settings) -> Leadership:
    """The leadership of this machine: kept by its node, or its own if there is no other machine."""
    return Kept(standing_file(settings)) if settings.ha_authority else Alone()


def keep(path: Path, standing: Standing) -> None:
    """Write it down, whole or not at all. Not synced: a boot makes it void anyway."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps({"boot": steady.boot(), **asdict(standing)}))
    new.replace(path)


def wait_to_lead(leadership: Leadership, stopping: threading.Event) -> bool:
    """Wait until this machine leads; False when ``stopping`` is set before."""
    while not stopping.is_set():
        if leadership.standing().role is Role.LEADER:
            return True
        stopping.wait(_LOOK)
    return False


def wait_to_stop(leadership: Leadership, stopping: threading.Event) -> None:
    """Wait until this machine leads no longer in the term it leads in now, or ``stopping``."""
    began = leadership.standing()
    while not stopping.is_set():
        standing = leadership.standing()
        if standing.role is not Role.LEADER or standing.term != began.term:
            return
        stopping.wait(_LOOK)


# A look costs some microseconds; this is what a takeover waits for at each of its hops.
_LOOK: Final = 0.05


def _read(path: Path) -> Standing:
    found = json.loads(path.read_text())
    if found.pop("boot") != steady.boot():
        return NOBODY
    return Standing(**{**found, "role": Role(found["role"])})

"""The node's last view of the two machines: written each second, read by people and by gauges.

``view.json`` in the node's directory. Nothing of guests.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app import steady
from app.leading import Role, Standing
from app.lease import Answer, Report

# A node writes each second; after this it is down, or hangs.
OLD: Final = timedelta(seconds=10)
# A leader tells how it stands with each renewal, a standby each second.
SILENT: Final = timedelta(seconds=25)
_FILE: Final = "view.json"


class View(BaseModel):
    """What a node sees. Times are aware, durations in seconds; None is: not known.

    ``began_at``, ``how``: since when the leader leads, and how it came to: first, failover,
    switchover or forced. ``lease``: the authority's last answer, ``authority_by`` the path ('link',
    'public') by which it came, None: it can't be reached, ``authority_since``: since when it can't,
    ``authority_said``: what came of each path then; ``peer_by``: by which the other's gateway
    answers. ``lag``, ``lag_rows``: how far the standby's copy is behind, the latter in
    transactions; ``alone``: events that the leader accepted while the other was down and that are
    in no copy yet. ``spooled``: events in this node's own spool that the leader lacks.
    ``redis``: primary, replica, or what is wrong. ``replication``: where replication is at (term,
    transaction), ``follows``: whether the standby's copy is being followed. ``gone``: which of this
    machine's programs don't run. ``damage``: what is wrong with the database, where the node can't
    mend it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    at: datetime
    steady_at: float = Field(default_factory=steady.now)
    boot: str = Field(default_factory=steady.boot)
    node: str
    peer: str
    standing: Standing
    began_at: datetime | None = None
    how: str | None = None
    lease: Answer | None = None
    authority_by: str | None = None
    authority_since: datetime | None = None
    authority_said: str | None = None
    peer_by: str | None = None
    lag: float | None = None
    lag_rows: int | None = None
    alone: int = 0
    spooled: int = 0
    redis: str = "unknown"
    replication: str | None = None
    follows: bool = False
    is_ready: bool = False
    provider_reachable: bool = True
    gone: tuple[str, ...] = ()
    doing: str | None = None
    damage: str | None = None

    @property
    def age(self) -> timedelta | None:
        """How old it is; None: of an earlier boot."""
        if self.boot != steady.boot():
            return None
        return timedelta(seconds=max(0.0, steady.now() - self.steady_at))

    @property
    def is_current(self) -> bool:
        """Whether a node that runs has written it."""
        return self.age is not None and self.age < OLD

    @property
    def leads(self) -> bool:
        """Whether this node leads, with a lease that lasts."""
        return self.standing.role is Role.LEADER and self.lease_left != 0

    @property
    def holds(self) -> bool:
        """Whether it leads but may not act: its lease has lapsed, and nobody else is known to."""
        return self.standing.role is Role.LEADER and self.lease_left == 0

    @property
    def lease_left(self) -> float | None:
        """Seconds until this node's lease is over, 0 if it is; None: without end, or none."""
        if self.standing.role is not Role.LEADER or self.standing.valid_until is None:
            return None
        return max(0.0, self.standing.valid_until - steady.now())

    @property
    def peer_report(self) -> Report | None:
        """What the other one last told the authority."""
        seen = self.lease.nodes.get(self.peer) if self.lease else None
        return seen.report if seen else None

    @property
    def peer_age(self) -> timedelta | None:
        """How long ago the other told it, when this view was written."""
        seen = self.lease.nodes.get(self.peer) if self.lease else None
        if seen is None:
            return None
        unheard = self.at - self.authority_since if self.authority_since else timedelta(0)
        return timedelta(seconds=seen.age) + unheard

    @property
    def peer_is_up(self) -> bool:
        """Whether the other was heard of just now, by the authority or by this node itself."""
        age = self.peer_age
        heard = self.authority_by is not None and age is not None and age < SILENT
        return heard or self.peer_by is not None

    @property
    def is_paused_there(self) -> bool:
        """Whether a person wants no change of leader, by what the other one told."""
        return self.peer_report is not None and self.peer_report.paused

    @property
    def leader(self) -> str | None:
        """Who leads, as far as this node knows; None: nobody does."""
        if self.standing.role is not Role.STANDBY:
            return self.node
        if self.lease is None or self.authority_by is None:
            return self.standing.leader
        return self.lease.holder if self.lease.free_in > 0 else None

    @property
    def standby(self) -> str:
        """The node that would lead if the leader failed."""
        return self.peer if self.leader == self.node else self.node

    @property
    def standby_is_ready(self) -> bool:
        """Whether it could lead at once, by its own word."""
        if self.standby == self.node:
            return self.is_ready
        return self.peer_report is not None and self.peer_report.is_ready

    @property
    def taken_alone(self) -> tuple[int, str]:
        """Events that are in the database of one node and nowhere else, and which one that is."""
        if self.leader == self.node or self.peer_report is None:
            return self.alone, self.node
        return self.peer_report.alone, self.peer

    @property
    def spooled_anywhere(self) -> int:
        """Events in both spools that the leader lacks."""
        return self.spooled + (self.peer_report.spooled if self.peer_report else 0)


def write(directory: Path, view: View) -> None:
    """Write it, whole or not at all. Not synced: the next one comes in a second."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = directory / f"{_FILE}.new"
    new.write_text(view.model_dump_json())
    new.replace(directory / _FILE)


def read(directory: Path) -> View | None:
    """The last one, old as it may be; None if there is none that can be read."""
    try:
        return View.model_validate_json((directory / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None

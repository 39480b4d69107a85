"""This machine as its node sees it: what leading and standing by are done with."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx
import redis

from app import steady
from app.ha import known, redis_roles
from app.ha.alerts import Troubles
from app.ha.caught_up import LeadersBeat
from app.ha.following import Following
from app.ha.holding import Held, Lease
from app.ha.journal import Journal
from app.ha.known import Known
from app.ha.parts import Parts
from app.ha.presence import Presence
from app.ha.replicating import Replicating
from app.ha.spool import Spool
from app.ha.standing import OwnStanding
from app.ha.staying import Staying
from app.ha.watch import Watch
from app.leading import Leadership, Role, leadership_of
from app.lease import Seen
from app.sealing import Seal
from app.settings import Settings
from app.signing import SignedAuth
from app.store.damage import is_damage
from app.store.database import DatabaseError, open_copy

# What a node tells is a second old at most; one that is silent for longer isn't counted on.
FRESH: Final = timedelta(seconds=6)
_HAS_TERMS: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'leadership'"


@dataclass
class Machine:
    """All of it. ``parts`` run while it leads. ``lead_asked_for``, ``lead_given_away``: a person
    wants a switchover, ``stays_away``: and this node not to want the lead back by itself for so
    long; ``begun_by``: the request that was begun with; ``not_switched``: why the
    last one didn't come about; ``not_replaced``: why the last database that was to be replaced
    wasn't. ``copied_at``: when the other was last known to have all, by this machine's clock.
    ``no_wish_until``: before that the preferred one doesn't want the lead back. The rest are times
    of `app.steady`: since when, or before which nothing is tried again."""

    settings: Settings
    seal: Seal
    standing: OwnStanding
    journal: Journal
    spool: Spool
    replicating: Replicating
    following: Following
    redis: "redis.Redis"
    peer: httpx.Client
    staying: Staying
    lease: Lease = field(init=False)
    known: Known = field(init=False)
    presence: Presence = field(init=False)
    parts: Parts | None = None
    follows: int | None = None
    redis_state: redis_roles.RedisState = field(
        default_factory=lambda: redis_roles.RedisState(redis_roles.RedisRole.AWAY)
    )
    redis_away_since: float | None = None
    asides_to_hand_over: int = 0
    doing: str | None = None
    lead_asked_for: bool = False
    lead_given_away: bool = False
    stays_away: timedelta = timedelta(0)
    begun_by: str | None = None
    not_switched: str | None = None
    not_replaced: str | None = None
    copied_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    rest_until: float = 0
    no_switch_until: float = 0
    no_wish_until: float = 0
    hand_over_at: float = 0
    troubles: Troubles = field(default_factory=Troubles)
    watch: Watch = field(default_factory=Watch)
    calm_since: float = field(default_factory=steady.now)
    # What its backups are like, as the turn last saw it: the lease's thread tells it on.
    backup_faults: tuple[str, ...] = ()
    drilled_at: datetime | None = None

    def __post_init__(self) -> None:
        self.known = known.recall(self._known_file)
        self.presence = Presence(self.directory)

    @property
    def directory(self) -> Path:
        """Where all this lies."""
        return self.settings.ha_directory

    @cached_property
    def leadership(self) -> Leadership:
        """How the machine stands, as its other processes read it."""
        return leadership_of(self.settings)

    @property
    def reaches_provider(self) -> bool:
        """Whether the provider was reached when it was last looked for."""
        return self.staying.reaches_provider

    @property
    def held(self) -> Held | None:
        """The term that is held."""
        return self.lease.held

    def remember(self, copied: int | None) -> None:
        """Not to forget which term there is a copy of, and the highest ever heard of."""
        new = Known(copied=copied, term=max(self.known.term, self.lease.known_term))
        if new != self.known:
            known.remember(self._known_file, new)
            self.known = new

    def peer_seen(self) -> Seen | None:
        """What the other node last told, if it told so just now."""
        heard = self.lease.heard
        if heard is None or (seen := heard.answer.nodes.get(self.settings.ha_peer)) is None:
            return None
        age = seen.age + steady.now() - heard.at
        return seen if age < FRESH.total_seconds() else None

    def copied_beat(self) -> int | None:
        """The newest beat that the standby has; None while it isn't up, or copies nothing."""
        seen = self.peer_seen()
        return None if seen is None or not seen.report.is_ready else seen.report.beat

    def leaders_beat(self) -> LeadersBeat | None:
        """The newest beat of the other node's database, which leads; None: not heard of just now,
        or it doesn't lead."""
        seen = self.peer_seen()
        if seen is None or seen.report.role is not Role.LEADER or seen.report.beat is None:
            return None
        return LeadersBeat(seen.report.term, seen.report.beat)

    def lag(self) -> float | None:
        """How many seconds this machine's copy is behind, by the leader's count of them."""
        mine, heard = self.following.beat(), self.lease.heard
        if mine is None or heard is None:
            return None
        if (seen := heard.answer.nodes.get(self.settings.ha_peer)) is None:
            return None
        if seen.report.beat is None or seen.report.term != mine.term:
            return None
        age = seen.age + steady.now() - heard.at
        return max(0.0, seen.report.beat + age - mine.beat - 1)

    def txid(self) -> int | None:
        """The newest transaction that this machine has, by replication's count."""
        if self.parts is None:
            return self.following.txid()
        position = self.replicating.position()
        return position.txid if position else None

    @property
    def _known_file(self) -> Path:
        return self.directory / "known.json"


def data_term(database: Path) -> int | None:
    """The term that the database in place is of, 0 before there were two nodes; None: there is
    none. Raises DatabaseError where it can't be read: then nothing may be decided by it."""
    if not database.exists():
        return None
    with closing(open_copy(database)) as connection:
        if not connection.execute(_HAS_TERMS).fetchone():
            return 0
        row = connection.execute("SELECT term FROM leadership WHERE id = 1").fetchone()
    return int(row["term"]) if row else 0


def readable_term(machine: Machine) -> int | None:
    """The same of the database in place; of one that is damaged, the newest that this machine knew
    of as it led."""
    try:
        return data_term(machine.settings.database)
    except DatabaseError as error:
        if not is_damage(error):
            raise
        return machine.known.term


def peer_client(settings: Settings) -> httpx.Client:
    """Asks the other node's gateway, over the private link."""
    return httpx.Client(
        base_url=settings.peer_urls[0],
        auth=SignedAuth(settings.node_name, settings.ha_key_bytes),
        timeout=httpx.Timeout(30, connect=2),
    )

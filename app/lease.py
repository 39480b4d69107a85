"""What the nodes and the authority say to each other about the lease: ``POST /api/lease``.

The authority (the cloud layer's API) keeps who leads and in which term; each node asks every few
seconds, tells how it stands, and hears how the other does. Requests are signed with the node's name
(docs/failover.md).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from app.leading import Role

PATH: Final = "/api/lease"
Term = Annotated[int, Field(ge=0, lt=2**53)]


class Wish(StrEnum):
    """What a node asks for.

    ``report``: nothing. ``hold``: to hold on to the term it leads in. ``acquire``: to lead, if
    nobody does. ``give``: that ``to`` leads from now on, in the next term. ``force``: to lead
    although another's time is not over, because a person saw to it that the other is off.
    """

    REPORT = "report"
    HOLD = "hold"
    ACQUIRE = "acquire"
    GIVE = "give"
    FORCE = "force"


class Report(BaseModel):
    """How a node stands, for the other one and for people. Nothing of guests.

    ``beat``: the number of the newest beat of the leader's database that the node has; ``lag``: the
    age of it in seconds; ``txid``: the newest transaction that it has, as replication counts them.
    ``spooled``: events accepted here that are not in the leader's database. ``is_ready``: it could
    lead at once. ``wants_lead``: it is the preferred leader and well again. ``doing``: the step it
    is at. ``alone``: events accepted here alone, that no copy has yet. ``paused``: a person wants
    no change of leader (`app.ha.paused`). ``backup_faults``: what is wrong with its backups, in the
    words of `app.backup.faults`; ``drilled_at``: when it last tried them (aware).
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Role
    term: Term
    version: str
    beat: int | None = None
    lag: float | None = None
    txid: int | None = None
    spooled: int = 0
    redis: str = "unknown"
    provider_reachable: bool = True
    is_ready: bool = False
    wants_lead: bool = False
    doing: str | None = None
    alone: int = 0
    paused: bool = False
    backup_faults: tuple[str, ...] = ()
    drilled_at: datetime | None = None


class Asked(BaseModel):
    """A node's question. ``term``: the highest that it knows of; with ``hold``, the one it holds.

    ``lapsed``: it holds nothing as far as it knows, or what it held has run out. The authority
    can't know after its start, when its store may have been restored from a backup: whose lease
    still runs may hold on at once, who lost it waits until nobody else's can be running.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    wish: Wish
    term: Annotated[int, Field(ge=0, lt=2**52)]  # so that there always is a next one
    report: Report
    lapsed: bool = False
    to: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")


class Seen(BaseModel):
    """What a node last told, and how many seconds ago; ``by``: 'link' or 'public'."""

    report: Report
    age: float


class Answer(BaseModel):
    """How the lease stands after the question.

    ``held``: who asked may lead in ``term`` for ``ttl`` seconds, counted from before it asked.
    ``free_in``: seconds until it may be acquired. ``begun``: the last term in which a holder said,
    by its report, that it leads: from then on its data may differ from all others. A term that was
    granted and never begun changed nothing.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    held: bool
    holder: str | None
    term: Term
    ttl: float
    free_in: float
    begun: Term = 0
    nodes: dict[str, Seen] = {}

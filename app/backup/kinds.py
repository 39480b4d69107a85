"""What is backed up, how often, and for how long it is kept: the one table of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a snapshot is of; it is the snapshot's tag."""

    SQLITE = "sqlite"  # the desk's database
    REDIS = "redis"  # the queue
    LOGS = "logs"  # of this machine
    CONFIGURATION = "configuration"  # of this machine, secrets included
    CLOUD = "cloud"  # the cloud layer's store


@dataclass(frozen=True)
class Plan:
    """``by_leader``: only the machine that leads has it; else each machine backs up its own."""

    every: timedelta
    keep: timedelta
    by_leader: bool = False


PLANS: Final[Mapping[Kind, Plan]] = {
    Kind.SQLITE: Plan(timedelta(minutes=15), timedelta(days=7), by_leader=True),
    Kind.REDIS: Plan(timedelta(minutes=5), timedelta(days=1), by_leader=True),
    Kind.LOGS: Plan(timedelta(days=1), timedelta(days=30)),
    Kind.CONFIGURATION: Plan(timedelta(days=1), timedelta(days=30)),
    Kind.CLOUD: Plan(timedelta(days=1), timedelta(days=30)),
}

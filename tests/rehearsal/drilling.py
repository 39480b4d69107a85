"""How every drill begins: its arguments, its chance, and hosts and a cluster that are well."""

import argparse
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from tests.rehearsal import cluster, faults, hosts
from tests.rehearsal.accounts import Outside
from tests.rehearsal.cluster import MAC
from tests.rehearsal.layout import PROJECT
from tests.rehearsal.shell import RehearsalError

# Where results and evidence are kept.
BUILD: Final[Path] = PROJECT / "build"
# Boot, rejoin, and the calm that the preferred node waits for (PORTIERE_HA_CALM), in seconds.
RETURN_PATIENCE: Final = 600.0
# Until the last message is answered, in seconds: long enough to tell late from lost.
SETTLE_PATIENCE: Final = 180.0


@dataclass(frozen=True)
class Drill:
    """What was asked for: so many ``rounds``, and guests' messages a second."""

    rounds: int
    rate: float
    seed: int
    outside: Outside

    def chance(self) -> random.Random:
        """From its start, the same for the same seed."""
        return random.Random(self.seed)


def begin(about: str | None, rounds: str, rate: float) -> Drill:
    """Read the arguments, and see that hosts and cluster are as a drill needs them.

    ``about``: the drill's help; ``rounds``: what they are called ('cuts'); ``rate``: messages a
    second, if nothing else is asked for. Ends the process with 2 if the drill can't be run.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(f"--{rounds}", dest="rounds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=rate, help="messages a second")
    parser.add_argument("--seed", type=int, default=None, help="of an earlier drill, to repeat it")
    given = parser.parse_args()
    # Broken off by either signal, it ends what it began.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"{given.rounds} {rounds}, {given.rate:g} messages a second, seed {seed}", flush=True)
    try:
        return Drill(given.rounds, given.rate, seed, _ready())
    except RehearsalError as error:
        typer.echo(f"the drill can't be run: {error}", err=True)
        raise SystemExit(2) from error


def _ready() -> Outside:
    hosts.leader(MAC.host)
    if cut := faults.current():
        raise RehearsalError(f"cut: {', '.join(cut)}; `tests/rehearsal/ctl heal` mends it")
    if who := cluster.who_is_paused():
        raise RehearsalError(f"{' and '.join(who)} paused: `portiere ha resume` there goes on")
    outside = cluster.outside()
    cluster.await_well(RETURN_PATIENCE)
    return outside

"""What a replaced database has that is newer than the one in its place: taken in by ourselves.

It is handed over like what a former leader has (`app.ha.handing_over`), but to the database here,
before the doors open: what was sent since the point of a restore must be known before anything is.
"""

import json
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from app.ha.asides import MARKER, RESTORED, prune_aside
from app.ha.handed import Batch, Counts
from app.ha.handing_over import HandedOver, HandOverError, Since, hand_over_to
from app.ha.machine import Machine
from app.ha.taking_in import keeper_of, take_in
from app.messages.handed_over import found_after
from app.messages.leading import current
from app.store.database import Connection, Database, DatabaseError, open_copy
from app.work.jobs import Job

log = structlog.get_logger()
ACTOR: Final = "restore"


def hand_back(machine: Machine, database: Database) -> list[tuple[Job, int]]:
    """Take in what only the replaced databases have; the jobs for it. Again, it goes on."""
    jobs: list[tuple[Job, int]] = []
    for aside in open_replaced(machine.directory, machine.settings.database.name):
        run = machine.journal.run("replay", current(database.connection) or 0)
        with run.step(1, "take in what is newer than the restored") as step:
            try:
                step.note = words(_hand_back(machine, database, aside, jobs))
            except HandOverError as error:
                # The doors shall open all the same; what is set aside stays, for a person.
                log.error("not_handed_back", aside=str(aside), reason=str(error))
                step.note = f"not all of it: {error}"
        prune_aside(machine.directory)
    return jobs


def open_replaced(directory: Path, name: str) -> list[Path]:
    """The replaced databases that are not handed over yet."""
    folders = sorted((directory / "aside").glob("term-*"))
    return [
        folder / name
        for folder in folders
        if (folder / RESTORED).exists()
        and (folder / name).exists()
        and not (folder / MARKER).exists()
    ]


def words(done: HandedOver) -> str:
    """How many rows became what."""
    unread = f", {done.refused} unreadable" if done.refused else ""
    return (
        f"{done.new} new, {done.settled} settled, {done.known} known, {done.differs} differ{unread}"
    )


def _hand_back(
    machine: Machine, database: Database, aside: Path, jobs: list[tuple[Job, int]]
) -> HandedOver:
    keeper = keeper_of(machine.settings, database, machine.seal)

    def offer(batch: Batch) -> Counts:
        taken = take_in(keeper, batch, ACTOR)
        jobs.extend(taken.jobs)
        return Counts(counts=dict(taken.counts))

    return hand_over_to(offer, aside, _since(database.connection, _term(aside)))


def _since(connection: Connection, term: int) -> Since:
    """What the database here began with, as the note of its term has it."""
    found = json.loads(found_after(connection, term) or "{}")
    return Since(
        term=current(connection) or 0,
        beat=found.get("beat") or 0,
        beat_at=found.get("beat_at") or 0,
        ids=found.get("ids", {}),
    )


def _term(aside: Path) -> int:
    try:
        with closing(open_copy(aside)) as connection:
            return current(connection) or 0
    except DatabaseError:
        return 0  # then all of it is offered, as far as it can be read

"""``make restore-drill``: the Mac loses its power and all its data, and gets them back by a tag.

Again and again, at moments drawn by lot, while guests talk and 50 rows a second are written. The
VPS is told not to take over, so nobody else leads: what is restored is what was replicated, and
what its door took meanwhile. Compared with what stood on the disk that was lost.

Exit 0: every promise was kept. 1: one was broken. 2: it could not be run.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from tests.rehearsal import cluster, hosts
from tests.rehearsal.accounts import Outside, Talk, talking
from tests.rehearsal.cluster import MAC, on
from tests.rehearsal.drilling import BUILD, RETURN_PATIENCE, SETTLE_PATIENCE, Drill, begin
from tests.rehearsal.layout import PROJECT
from tests.rehearsal.shell import RehearsalError, run
from tests.rehearsal.tags import play

RESULTS: Final = BUILD / "restore-drill.json"
# Promise P5 (docs/backup.md), in seconds of writes.
LOSES_AT_MOST: Final = 1.0
WRITES_A_SECOND: Final = 50
# Messages a second: enough to have some on their way at each loss, and too few to make each kill's
# database, which is fetched again and again, much larger than the last one's.
RATE: Final = 2.0
_WRITER: Final = Path(__file__).with_name("writes_of_a_drill.py")
# What identifies a row, whichever database it is in, and when it was made (in ms).
_ROWS: Final = {
    "guests": "SELECT hex(guest), created_at FROM guests",
    "bookings": "SELECT channel || code, created_at FROM bookings",
    "inbox": "SELECT source || event_id, received_at FROM inbox",
    "outbox": "SELECT idempotency_key, created_at FROM outbox",
}


@dataclass
class Kill:
    """What one loss of the Mac's disk brought. Seconds; None: it did not come about.

    ``lost_rows``, ``lost_seconds``: of the writer's rows, those that were committed and are gone.
    ``missing``: by table, rows older than the promise that stood on the lost disk and are nowhere.
    """

    number: int
    after: float = 0.0
    written: int = 0
    lost_rows: int | None = None
    lost_seconds: float | None = None
    missing: dict[str, int] = field(default_factory=dict)
    restored_in: float | None = None
    told: int = 0
    answered: int = 0
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    failed: str | None = None

    @property
    def broken(self) -> list[str]:
        """The promises that this one broke."""
        facts = {
            f"{self.lost_seconds} s of writes lost": self.lost_seconds is None
            or self.lost_seconds > LOSES_AT_MOST,
            f"rows missing: {self.missing}": any(self.missing.values()),
            f"{len(self.lost)} messages lost": bool(self.lost),
            f"{len(self.doubled)} answered twice": bool(self.doubled),
        }
        found = [what for what, is_so in facts.items() if is_so]
        return [self.failed, *found] if self.failed else found

    @property
    def line(self) -> str:
        """It in one line."""
        verdict = "kept" if not self.broken else f"BROKEN: {'; '.join(self.broken)}"
        return (
            f"kill {self.number:2}: of {self.written} rows lost {self.lost_rows}, "
            f"{_seconds(self.lost_seconds)} of writes; restored in {_seconds(self.restored_in)}; "
            f"{self.answered}/{self.told} answered, lost {len(self.lost)}, "
            f"doubled {len(self.doubled)}. {verdict}"
        )


def main() -> None:
    """Drill."""
    drill = begin(__doc__, "kills", RATE)
    with cluster.paused():
        kills = list(_drill(drill))
    _write(kills, drill.seed)
    print(_summary(kills))
    raise SystemExit(0 if len(kills) == drill.rounds and not _broken(kills) else 1)


def _drill(drill: Drill) -> Iterator[Kill]:
    """Kill after kill; the first after which the cluster isn't well again is the last."""
    chance = drill.chance()
    for number in range(1, drill.rounds + 1):
        kill = Kill(number)
        try:
            _lose_and_restore(kill, drill.outside, drill.rate, chance)
        except RehearsalError as error:
            kill.failed = str(error)
        print(kill.line, flush=True)
        if kill.broken:
            evidence = BUILD / f"restore-drill-kill-{number}"
            cluster.keep_evidence(evidence)
            print(f"        what there is to read: {evidence}", flush=True)
        yield kill
        if kill.failed:
            hosts.up([MAC.host])
            return


def _lose_and_restore(kill: Kill, outside: Outside, rate: float, chance: random.Random) -> None:
    cluster.await_well(RETURN_PATIENCE)
    with (
        tempfile.TemporaryDirectory(prefix="portiere-restore-drill-") as scratch,
        talking(outside, rate=rate) as talk,
    ):
        cluster.until(lambda: talk.count().handed, "the first reply of the talk", 60)
        said = Path(scratch, "written")
        kill.after = chance.uniform(5, 20)
        with _writing(said):
            time.sleep(kill.after)
            hosts.power_off(MAC.host)
        gone = _take_away(Path(scratch, "gone"))
        hosts.up([MAC.host])
        began = time.monotonic()
        _restore()
        kill.restored_in = time.monotonic() - began
        cluster.await_well(RETURN_PATIENCE)
        _settle(kill, talk)
        _compare(kill, said, gone)


def _settle(kill: Kill, talk: Talk) -> None:
    talk.stop()
    verdict = talk.settle(SETTLE_PATIENCE).verdict
    kill.told, kill.answered = verdict.told, verdict.answered
    kill.lost, kill.doubled = verdict.lost, verdict.doubled


@contextmanager
def _writing(said: Path) -> Iterator[None]:
    """Somebody writes into the Mac's database meanwhile, and tells us what is committed."""
    code = _WRITER.read_text()
    command = [
        *hosts.enter(MAC.host),
        *("sudo", "-u", "_portiere", "/opt/portiere/current/venv/bin/python", "-c", code),
        *(f"{MAC.data}/portiere.db", str(WRITES_A_SECOND)),
    ]
    with said.open("wb") as out:
        popen = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            popen.kill()
            popen.wait()


def _take_away(to: Path) -> Path:
    """All data of the Mac, which is off, so that it has none; where the database is now.

    Two empty directories stay: daemons that can't start hold up a boot here, as none does on a Mac.
    """
    data = MAC.host.directory / "upper" / MAC.data.lstrip("/")
    if not (data / "portiere.db").exists():
        raise RehearsalError(f"{data} has no database: the drill would prove nothing")
    owner = data.stat()
    shutil.move(data, to)
    for path in (data, data / "redis"):
        path.mkdir(mode=0o700)
        os.chown(path, owner.st_uid, owner.st_gid)
    return to / "portiere.db"


def _restore() -> None:
    """What the README says to do."""
    answer = play("restore", "restore_yes=true", "restore_what=all")
    (BUILD / "restore-drill.log").write_text(answer.stdout + answer.stderr)
    if answer.returncode:
        raise RehearsalError(f"the playbook failed:\n{answer.stdout[-2000:]}")


def _compare(kill: Kill, said: Path, gone: Path) -> None:
    """What stood on the lost disk, and what the writer was told, with what is there now."""
    committed = [line.split() for line in said.read_text().splitlines() if line.count(" ") == 1]
    kill.written = len(committed)
    with tempfile.TemporaryDirectory(prefix="portiere-restored-") as scratch:
        restored = _copy_of_what_is_there(Path(scratch, "restored.db"))
        there = _rows(restored, "SELECT id, at FROM drill_writes")
        lost = [float(at) for number, at in committed if int(number) not in there]
        kill.lost_rows = len(lost)
        kill.lost_seconds = round(float(committed[-1][1]) - lost[0], 3) if lost else 0.0
        last = 1000 * (float(committed[-1][1]) - LOSES_AT_MOST)
        for table, query in _ROWS.items():
            had, has = _rows(gone, query), _rows(restored, query)
            kill.missing[table] = sum(key not in has and at < last for key, at in had.items())


def _rows(database: Path, query: str) -> dict[object, float]:
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(query).fetchall())


def _copy_of_what_is_there(to: Path) -> Path:
    """The Mac's database as it is now."""
    code = (
        "import sqlite3, sys; "
        f"c = sqlite3.connect('file:{MAC.data}/portiere.db?mode=ro', uri=True); "
        "c.execute('VACUUM INTO ?', (sys.argv[1],))"
    )
    copy = "/opt/portiere/data/drill-copy.db"
    on(MAC, "rm", "--force", copy)
    on(MAC, "sudo", "-u", "_portiere", MAC.python, "-c", code, copy, timeout=60)
    shutil.copyfile(MAC.host.directory / "upper" / copy.lstrip("/"), to)
    on(MAC, "rm", copy)
    return to


def _broken(kills: list[Kill]) -> list[str]:
    return [f"kill {kill.number}: {what}" for kill in kills for what in kill.broken]


def _summary(kills: list[Kill]) -> str:
    """The distribution of the figures, and what was broken."""
    lines = [
        f"writes lost: {_distribution([kill.lost_seconds for kill in kills], 's')}",
        f"rows lost: {_distribution([kill.lost_rows for kill in kills], 'rows')}",
        f"restored in: {_distribution([kill.restored_in for kill in kills], 's')}",
        f"messages: {sum(kill.told for kill in kills)}, "
        f"answered {sum(kill.answered for kill in kills)}, "
        f"lost {sum(len(kill.lost) for kill in kills)}, "
        f"answered twice {sum(len(kill.doubled) for kill in kills)}",
    ]
    broken = _broken(kills)
    return "\n".join([*lines, *(["BROKEN", *broken] if broken else ["every promise was kept"])])


def _distribution(values: list[float | None] | list[int | None], unit: str) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "none"
    figures = (known[0], median(known), known[-1])
    return f"min / median / max {' / '.join(f'{x:.2f}' for x in figures)} {unit}"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _write(kills: list[Kill], seed: int) -> None:
    """Keep the results for docs/backup.md."""
    BUILD.mkdir(parents=True, exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": run("git", "-C", PROJECT, "rev-parse", "--short", "HEAD").strip(),
        "seed": seed,
        "kills": [{**asdict(kill), "broken": kill.broken} for kill in kills],
    }
    RESULTS.write_text(json.dumps(content, indent=2))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    main()

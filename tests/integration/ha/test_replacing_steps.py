"""A restore whose node is killed at each of its steps, and started again."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.ha import asked, replacing
from app.ha.asked import Outcome, Request, Verb
from app.messages import leading
from app.settings import Settings
from app.store.database import open_copy
from tests.support.both_machines import both_machines
from tests.support.dying_worker import Nursery
from tests.support.processes import wait_for_http, wait_for_redis
from tests.support.restored import SENT, settings_of, write_rows

MOMENTS = [
    "never",
    *(f"{when}-restore-{step}" for step in range(1, 7) for when in ("began", "done")),
    *("began-takeover-3", "done-takeover-3", "done-takeover-6", "done-replay-1"),
    *("began-takeover-7", "done-takeover-7", "done-takeover-8"),
]


@dataclass
class Bench:
    """A machine whose other is gone; what it leads with, and what is to be restored."""

    settings: Settings
    nursery: Nursery
    present: Path
    candidate: Path

    def lay_out(self) -> Request:
        """As before the restore; it is asked for, and not begun."""
        directory = self.settings.ha_directory
        shutil.rmtree(self.settings.database.parent, ignore_errors=True)
        directory.mkdir(parents=True)
        shutil.copyfile(self.present, self.settings.database)
        candidate = directory / "restored.db"
        shutil.copyfile(self.candidate, candidate)
        request = Request(
            verb=Verb.RESTORE, force=True, database=candidate, why="of then", by="test"
        )
        asked.ask(directory, request)
        return request

    def run(self, moment: str) -> int:
        """The node's exit code."""
        self.nursery.start(moment)
        return self.nursery.wait()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("bench")
    with both_machines(directory) as pair:
        host = pair.mac
        pair.sandbox.start()  # who isn't reached is no reason to lead without the authority
        wait_for_http(pair.sandbox, f"{pair.sandbox_url}/sandbox/sends")
        host.redis.start()
        wait_for_redis(host.redis, host.redis_url)
        settings = settings_of(host)
        candidate, present = directory / "candidate.db", directory / "present.db"
        write_rows(settings, candidate, "then")
        shutil.copyfile(candidate, present)
        write_rows(settings, present, "since")
        nursery = Nursery(host.env, directory / "node.log", "tests.support.dying_node")
        yield Bench(settings, nursery, present, candidate)
        nursery.close()
        host.power_off()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_restore_that_is_killed_goes_on(bench: Bench, moment: str) -> None:
    request = bench.lay_out()
    if moment != "never":
        assert bench.run(moment) == -9
        assert any(_has_since(path) for path in _databases(bench.settings))
    assert bench.run("never") == 0

    answer = asked.answered(bench.settings.ha_directory, request.id)
    assert answer is not None
    assert answer.outcome is Outcome.DONE, answer.message
    with closing(open_copy(bench.settings.database)) as connection:
        (term, *_) = leading.terms(connection, 5)
        assert term.how == "restored"
        assert json.loads(term.note or "")["restored"] == "of then"
        codes = [row[0] for row in connection.execute("SELECT code FROM bookings")]
        assert codes == ["then"]
        # What came since is there again, and what was sent is known.
        assert connection.execute("SELECT count(*) FROM inbox").fetchone()[0] == 1
        assert connection.execute("SELECT idempotency_key FROM echoes").fetchone()[0] == SENT
    kept = [path for path in _databases(bench.settings) if "aside" in path.parts]
    assert [_has_since(path) for path in kept] == [True]
    assert all((path.parent / "handed-over.json").exists() for path in kept)


def test_what_can_not_be_put_in_place_leaves_all_as_it_was(bench: Bench) -> None:
    request = bench.lay_out()
    assert bench.run("done-restore-4") == -9
    assert request.database is not None
    request.database.unlink()

    assert bench.run("never") == 0

    answer = asked.answered(bench.settings.ha_directory, request.id)
    assert answer is not None
    assert answer.outcome is Outcome.FAILED
    assert "restore again" in answer.message
    assert _has_since(bench.settings.database)
    assert replacing.read(bench.settings.ha_directory) is None


def _databases(settings: Settings) -> list[Path]:
    name = settings.database.name
    found = [settings.database, *settings.ha_directory.glob(f"aside/*/{name}")]
    return [path for path in found if path.exists()]


def _has_since(path: Path) -> bool:
    with closing(open_copy(path)) as connection:
        rows = connection.execute("SELECT 1 FROM bookings WHERE code = 'since'").fetchall()
    return bool(rows)

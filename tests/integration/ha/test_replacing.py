"""Another database in the place of the leader's: what becomes of it, of the other machine, and of
what was sent since."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app.ha import asked
from app.ha.asked import Answered, Outcome, Request, Verb
from app.messages import leading
from app.store.database import open_copy
from tests.support.both_machines import BothMachines, Host, both_machines
from tests.support.processes import eventually


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BothMachines]:
    with both_machines(tmp_path) as found:
        found.start()
        yield found


def saved(host: Host, name: str = "saved") -> Path:
    """The host's database as it is now, where a restore leaves what it fetched."""
    to = host.directory / f"data/ha/{name}.db"
    with closing(open_copy(host.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(to),))
    return to


def restore(host: Host, database: Path, **given: object) -> Answered:
    """Ask its node for it, and wait."""
    told = {"verb": Verb.RESTORE, "database": database, "why": "a test", "by": "test", **given}
    request = Request.model_validate(told)
    asked.ask(host.directory / "data/ha", request)
    answer = asked.await_answer(host.directory / "data/ha", request.id, timedelta(seconds=60))
    assert answer is not None
    return answer


def term(host: Host) -> leading.Term:
    """The newest term of its database."""
    with closing(open_copy(host.database)) as connection:
        return leading.terms(connection, 1)[0]


def count(host: Host, table: str) -> int:
    with closing(open_copy(host.database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_was_sent_since_is_not_sent_again_and_what_came_in_is_kept(
    pair: BothMachines,
) -> None:
    early = pair.mac.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[early] == 1, "it is answered")
    then = saved(pair.mac)
    late = [pair.mac.post("Is there a car park?"), pair.vps.post("Grazie!", phone="+390000000002")]
    eventually(lambda: all(pair.replies()[key] == 1 for key in late), "both are answered")
    guests = count(pair.mac, "guests")

    answer = restore(pair.mac, then)

    assert answer.outcome is Outcome.DONE, answer.message
    assert term(pair.mac).how == "restored"
    assert not then.exists()
    eventually(pair.vps.is_ready, "the other follows the new term")
    key = pair.vps.post("Wo kann ich parken?", phone="+390000000003")
    eventually(lambda: pair.replies()[key] == 1, "it answers")
    eventually(lambda: count(pair.mac, "guests") == guests + 1, "those who wrote are known")
    assert [pair.replies()[one] for one in (early, *late, key)] == [1, 1, 1, 1]
    assert pair.mac.leads()

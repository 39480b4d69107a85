"""``portiere ha``: its exit codes, what it says first, what it asks, and the steps as they come."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app import steady
from app.cli import cli
from app.ha import asked, paused
from app.ha import view as views
from app.ha.asked import Outcome, Request, Verb
from app.ha.journal import Journal
from app.ha.view import View
from app.leading import Role, Standing, keep
from app.store.database import StoreError
from tests.support.ha_views import lease, of_leader, of_standby, report
from tests.support.processes import eventually

KEY = base64.b64encode(b"k" * 32).decode()
BASE = {
    "PORTIERE_SEAL_KEYS": f"k1:{KEY}",
    "PORTIERE_INDEX_KEY": KEY,
    "PORTIERE_SPOKI_API_KEY": "invented-key",
    "PORTIERE_SPOKI_WEBHOOK_SECRET": "invented-secret",
}
OF_TWO = {
    "PORTIERE_CLOUD_URL": "http://127.0.0.1:9",
    "PORTIERE_CLOUD_KEY": KEY,
    "PORTIERE_HA_AUTHORITY": "http://127.0.0.1:9",
    "PORTIERE_HA_PEER": "vps",
    "PORTIERE_HA_PEER_URLS": "http://127.0.0.1:9",
    "PORTIERE_HA_KEY": KEY,
    "PORTIERE_HA_REPLICA": "file:///nowhere",
    "PORTIERE_HA_REDIS_ADMIN_URL": "redis://127.0.0.1:9",
    "PORTIERE_HA_REDIS_PEER": "127.0.0.1:9",
}
Seeing = Callable[..., Result]


def gone() -> View:
    """What vps sees once mac is gone."""
    return of_standby(lease=lease("mac", report(Role.LEADER), age=60.0, free_in=0.0))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "ha"


@pytest.fixture
def run(tmp_path: Path) -> Seeing:
    """Runs ``portiere ha …`` on a machine of two."""

    def run_one(*arguments: str, alone: bool = False, answers: str = "") -> Result:
        environment = {**BASE, "PORTIERE_DATABASE": str(tmp_path / "p.db")}
        if not alone:
            environment |= OF_TWO
        return CliRunner().invoke(cli, ["ha", *arguments], env=environment, input=answers)

    return run_one


def said(result: Result) -> str:
    return " ".join(result.output.split())


@contextmanager
def node(
    directory: Path, view: View, outcome: Outcome, message: str, steps: int = 2
) -> Iterator[list[Request]]:
    """A node that sees ``view``, and does what it is asked in steps."""
    views.write(directory, view)
    heard: list[Request] = []
    stopping = threading.Event()

    def work() -> None:
        journal = Journal(directory / "journal.jsonl")
        while not stopping.wait(0.01):
            if (request := asked.pending(directory)) is None:
                continue
            heard.append(request)
            run = journal.run("takeover", 8)
            for number in range(1, steps + 1):
                with run.step(number, f"thing {number}") as step:
                    step.note = f"{number} of {steps}"
            asked.answer(directory, request.id, outcome, message)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield heard
    finally:
        stopping.set()
        thread.join()


def test_a_node_that_leads_alone_says_so_and_is_well(run: Seeing) -> None:
    done = run("status", alone=True)
    assert (done.exit_code, "PORTIERE_HA_AUTHORITY" in done.output) == (0, True)
    assert json.loads(run("status", "--json", alone=True).stdout) == {"alone": True}


def test_alone_what_is_wrong_with_its_disk_is_said(tmp_path: Path) -> None:
    environment = {
        **BASE,
        "PORTIERE_DATABASE": str(tmp_path / "p.db"),
        "PORTIERE_BACKUP_LEAST_FREE": str(10**18),
    }
    done = CliRunner().invoke(cli, ["ha", "status"], env=environment)
    assert (done.exit_code, "Make room" in done.output) == (1, True)
    done = CliRunner().invoke(cli, ["ha", "status", "--json"], env=environment)
    assert [one["remedy"] for one in json.loads(done.stdout)["wrong"]]


@pytest.mark.parametrize(
    "arguments",
    [("failover",), ("switchover",), ("rejoin",), ("pause", "--reason", "x"), ("resume",)],
)
def test_alone_there_is_nothing_to_hand_on(run: Seeing, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, alone=True)
    assert done.exit_code == 1
    assert "PORTIERE_HA_AUTHORITY is not set" in done.output
    assert "docs/failover.md" in done.output


@pytest.mark.parametrize(
    ("view", "code", "part"),
    [
        (of_leader, 0, "mac (here)"),
        (of_standby, 0, "vps (here), ready to lead"),
        (gone, 1, "Nobody leads"),
        (lambda: of_leader(steady_at=steady.now() - 900), 2, "Start it"),
        (lambda: of_leader(boot="another"), 2, "Start it"),
        (None, 2, "has written nothing down"),
    ],
)
def test_the_status_is_told_by_its_exit_code(
    run: Seeing, directory: Path, view: Callable[[], View] | None, code: int, part: str
) -> None:
    if view is not None:
        views.write(directory, view())
    done = run("status")
    assert (done.exit_code, part in said(done)) == (code, True)
    shown = run("status", "--json")
    assert shown.exit_code == code
    found = json.loads(shown.stdout)
    assert bool(found["wrong"]) == (code != 0)
    assert all(one["remedy"] for one in found["wrong"])
    assert (found["view"] is None) == (view is None)


def test_a_torn_view_can_not_be_told(run: Seeing, directory: Path) -> None:
    views.write(directory, of_leader())
    path = directory / "view.json"
    path.write_bytes(path.read_bytes()[:100])
    assert run("status").exit_code == 2


def test_no_status_makes_a_database(run: Seeing, directory: Path) -> None:
    views.write(directory, of_standby())
    run("status")
    assert not (directory.parent / "p.db").exists()


@pytest.mark.thorough
def test_a_failover_shows_what_it_will_do_and_each_step(run: Seeing, directory: Path) -> None:
    with Journal(directory / "journal.jsonl").run("takeover", 3).step(1, "long ago"):
        pass
    with node(directory, gone(), Outcome.DONE, "vps leads, in term 8.") as heard:
        done = run("failover", "--as", "anna")
    assert done.exit_code == 0
    text = said(done)
    assert text.index("vps takes over from mac") < text.index("takeover 1 thing 1")
    assert text.index("takeover 2 thing 2") < text.index("vps leads, in term 8.")
    assert "2 of 2" in text
    assert "long ago" not in text
    (request,) = heard
    assert (request.verb, request.to, request.force) == (Verb.FAILOVER, "vps", False)
    assert request.by == "cli:anna"


@pytest.mark.thorough
@pytest.mark.parametrize(("outcome", "code"), [*zip(Outcome, (0, 3, 1), strict=True)])
def test_what_the_node_answers_is_the_exit_code(
    run: Seeing, directory: Path, outcome: Outcome, code: int
) -> None:
    with node(directory, gone(), outcome, "so it is"):
        done = run("failover")
    assert (done.exit_code, "so it is" in done.output) == (code, True)


def test_who_leads_has_nothing_to_take_over(run: Seeing, directory: Path) -> None:
    views.write(directory, of_leader())
    done = run("failover")
    assert (done.exit_code, done.stdout) == (3, "Nothing to do: mac leads already, in term 7.\n")


@pytest.mark.thorough
def test_who_holds_may_be_made_to_lead(run: Seeing, directory: Path) -> None:
    lapsed = Standing(Role.LEADER, 7, "mac", steady.now() - 5)
    view = of_leader(standing=lapsed, authority_by=None)
    with node(directory, view, Outcome.DONE, "mac leads, in term 1000.") as heard:
        assert run("failover", "--force", "--yes").exit_code == 0
    assert heard[0].force


def test_a_leader_that_is_well_is_not_taken_over_from(run: Seeing, directory: Path) -> None:
    views.write(directory, of_standby())
    done = run("failover")
    assert done.exit_code == 1
    assert "portiere ha switchover" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize(("answers", "code", "asks"), [("y\n", 0, 1), ("n\n", 1, 0), ("", 1, 0)])
def test_force_is_asked_about_first(
    run: Seeing, directory: Path, answers: str, code: int, asks: int
) -> None:
    with node(directory, of_standby(), Outcome.DONE, "done") as heard:
        done = run("failover", "--force", answers=answers)
    assert "Is mac off for certain" in done.output
    assert (done.exit_code, len(heard)) == (code, asks)


@pytest.mark.thorough
def test_a_switchover_goes_to_the_one_that_does_not_lead(run: Seeing, directory: Path) -> None:
    for view, to in ((of_leader(), "vps"), (of_standby(), "vps")):
        with node(directory, view, Outcome.DONE, "vps leads.") as heard:
            done = run("switchover")
        assert (done.exit_code, heard[0].to) == (0, to)
        assert "mac finishes what it has in hand" in done.output


@pytest.mark.parametrize(
    ("view", "to", "ends"),
    [
        (of_leader, "mac", (3, "mac leads already")),
        (of_standby, "mac", (3, "mac leads already")),
        (of_leader, "nas", (1, "There is no node nas")),
        (gone, "vps", (1, "portiere ha failover")),
        (lambda: of_standby(is_ready=False), "vps", (1, "vps isn't ready to lead")),
    ],
)
def test_a_switchover_that_can_not_be_is_not_begun(
    run: Seeing, directory: Path, view: Callable[[], View], to: str, ends: tuple[int, str]
) -> None:
    with node(directory, view(), Outcome.DONE, "done") as heard:
        done = run("switchover", "--to", to)
    code, part = ends
    assert (done.exit_code, part in said(done), heard) == (code, True, [])


def test_for_how_long_is_for_the_leader_to_know(run: Seeing, directory: Path) -> None:
    with node(directory, of_leader(), Outcome.DONE, "vps leads.") as heard:
        assert run("switchover", "--for", "10").exit_code == 0
    assert heard[0].stays == timedelta(minutes=10)
    with node(directory, of_standby(), Outcome.DONE, "vps leads.") as heard:
        done = run("switchover", "--for", "10")
    assert (done.exit_code, "Ask for the switchover there" in said(done), heard) == (1, True, [])


@pytest.mark.thorough
def test_a_rejoin_is_for_who_does_not_lead(run: Seeing, directory: Path) -> None:
    with node(directory, of_leader(), Outcome.DONE, "begun anew") as heard:
        assert run("rejoin").exit_code == 3
    assert not heard
    with node(directory, of_standby(), Outcome.DONE, "begun anew") as heard:
        assert run("rejoin").exit_code == 0
    assert heard[0].verb is Verb.REJOIN


def test_while_one_is_under_way_another_is_refused(run: Seeing, directory: Path) -> None:
    views.write(directory, gone())
    asked.ask(directory, Request(verb=Verb.FAILOVER, by="cli:anna"))
    done = run("failover")
    assert done.exit_code == 1
    assert "failover was asked for by cli:anna" in done.stderr


@pytest.mark.parametrize("verb", ["failover", "switchover", "rejoin"])
def test_of_a_node_that_is_down_nothing_is_asked(run: Seeing, directory: Path, verb: str) -> None:
    views.write(directory, of_standby(steady_at=steady.now() - 900))
    done = run(verb)
    assert done.exit_code == 1
    assert "Start it" in done.stderr
    assert not (directory / "asked.json").exists()


@pytest.mark.thorough
def test_a_node_that_ends_meanwhile_is_said_to(run: Seeing, directory: Path) -> None:
    views.write(directory, of_standby())

    def end() -> None:
        eventually(lambda: asked.pending(directory), "something is asked")
        views.write(directory, of_standby(steady_at=steady.now() - 900))

    ending = threading.Thread(target=end)
    ending.start()
    done = run("rejoin")
    ending.join()
    assert done.exit_code == 1
    assert "the node ended or hangs" in done.stderr


def test_a_pause_is_kept_shown_and_ended(run: Seeing, directory: Path) -> None:
    views.write(directory, of_leader())
    assert run("resume").exit_code == 3
    done = run("pause", "--reason", "the electrician", "--as", "anna")
    assert (done.exit_code, "portiere ha resume" in done.output) == (0, True)
    found = paused.paused(directory)
    assert found is not None
    assert (found.by, found.reason) == ("cli:anna", "the electrician")
    assert run("pause", "--reason", "again").exit_code == 3
    shown = run("status")
    assert (shown.exit_code, "PAUSED" in shown.output) == (0, True)
    assert json.loads(run("status", "--json").stdout)["paused"]["reason"] == "the electrician"
    assert run("resume").exit_code == 0
    assert "PAUSED" not in run("status").output


def test_a_pause_of_the_other_is_said_on_resuming(run: Seeing, directory: Path) -> None:
    views.write(directory, of_leader(lease=lease("vps", report(Role.STANDBY, paused=True))))
    paused.pause(directory, "anna", "x")
    assert "vps is paused still" in run("resume").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("trace",),
        ("audit",),
        ("queues", "list"),
        ("guests", "show", "+39 000 0000001"),
        ("dead-letters", "list"),
        ("desk", "waiting"),
    ],
)
def test_on_a_standby_the_desk_is_asked_elsewhere_and_no_database_is_made(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    database = tmp_path / "p.db"
    keep(tmp_path / "ha/standing.json", Standing(Role.STANDBY, 7, "vps"))
    environment = {**BASE, **OF_TWO, "PORTIERE_DATABASE": str(database)}
    done = CliRunner().invoke(cli, arguments, env=environment)
    assert isinstance(done.exception, StoreError), done.output
    assert "vps leads: ask there" in str(done.exception)
    assert not database.exists()

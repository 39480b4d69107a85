"""``portiere cloud …`` as the engineer types it, and what the three processes weigh together."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_jobs.store import schema
from tests.support.cloud_processes import Cloud, cloud, letter
from tests.support.processes import PORTIERE, Process, eventually, free_port

MEGABYTE = 1024
# What the three may take of the server's memory together.
MOST = 250 * MEGABYTE
DESK = "app.cli, app.gateway.api, app.work.worker, app.ha.node"
AT_WORK = ("scheduler_ready", "worker_ready", "api_ready", "startup complete")


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[Cloud]:
    with cloud(tmp_path, PORTIERE_CLOUD_BIND=f"127.0.0.1:{free_port()}") as found:
        yield found


def ask(layer: Cloud, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PORTIERE, "cloud", *arguments],
        env={**os.environ, **layer.env},
        capture_output=True,
        text=True,
        check=False,
    )


def say(layer: Cloud, *arguments: str) -> str:
    """What a command prints; it must succeed."""
    done = ask(layer, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_queues_are_paused_and_resumed_and_what_waited_runs(layer: Cloud) -> None:
    say(layer, "pause", "intake", "--reason", "the painters are in", "--as", "ada")
    layer.tell(2, dispatch=True)
    layer.start("work")
    lines = [json.loads(line) for line in say(layer, "queues", "--json").splitlines()]
    (paused,) = [line for line in lines if line["paused"]]
    assert (paused["queue"], paused["paused"]["by"]) == ("intake", "cli:ada")
    assert "the painters are in" in say(layer, "queues")
    layer.at_least(letter, 2, "paused")
    said = say(layer, "resume")
    assert "intake goes on." in said
    assert "Runs that waited: 2." in said
    layer.at_least(letter, 2)
    refused = ask(layer, "pause", "upkeep", "--reason", "no")
    assert refused.returncode == 2
    assert "never paused" in refused.stderr


def test_runs_are_listed_shown_replayed_and_cancelled(layer: Cloud) -> None:
    (run_id,) = layer.tell(1, dispatch=True)
    say(layer, "cancel", run_id)
    (line,) = [json.loads(line) for line in say(layer, "runs", "--json").splitlines()]
    assert (line["run_id"], line["state"]) == (run_id, "cancelled")
    shown = json.loads(say(layer, "run", run_id))
    assert shown["job"] == "letter"
    assert shown["steps"] == []
    # The jobs of the test are none of `portiere`'s own: it says so instead of losing the run.
    done = ask(layer, "replay", run_id)
    assert "Left out, for their jobs are no more: 1." in done.stderr
    assert ask(layer, "run", "unknown").returncode == 2
    assert ask(layer, "replay").returncode == 2


def test_a_job_is_started_by_hand(layer: Cloud) -> None:
    run_id = say(layer, "start", "delete-old").strip()
    shown = json.loads(say(layer, "run", run_id))
    assert (shown["job"], shown["started_by"], shown["state"]) == ("delete-old", "person", "queued")
    for arguments, why in (
        (("nothing",), "portiere cloud jobs"),
        (("tell-desk", "--payload", '{"phone": "+390000000001"}'), "channel"),
        (("tell-desk", "--payload", "{"), "can't be given that"),
    ):
        refused = ask(layer, "start", *arguments)
        assert refused.returncode == 2
        assert why in refused.stderr
        assert "+390000000001" not in refused.stderr


def test_the_store_is_checked_before_anything_is_asked_of_it(layer: Cloud) -> None:
    assert "are good" in say(layer, "check")
    assert "monthly-costs" in say(layer, "jobs")
    say(layer, "migrate", "--to", "base")
    refused = ask(layer, "runs")
    assert refused.returncode == 1
    assert refused.stderr == (
        "portiere: the store has no tables yet: run `portiere cloud migrate`\n"
    )
    assert schema.needed() in say(layer, "migrate")
    layer.redis.stop()
    broken = ask(layer, "check")
    assert broken.returncode == 1
    assert broken.stderr.startswith("redis: ConnectionError")
    layer.redis.start()


def test_who_works_for_the_desk_loads_nothing_of_the_cloud() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, {DESK}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not [name for name in loaded if name.startswith(("sqlalchemy", "cloud_jobs", "alembic"))]


def test_what_the_three_processes_weigh(layer: Cloud) -> None:
    """Together, as the server feels it: what they share counts once (PSS).

    RSS counts the pages that they share in each of them; a container's own number is near PSS.
    """
    together = Process([PORTIERE, "cloud", "serve"], layer.env, layer.directory / "serve.log")
    layer.processes.append(together)
    together.start()

    def is_at_work() -> bool:
        said = together.log.read_text()
        return together.alive() and all(one in said for one in AT_WORK)

    eventually(is_at_work, "all three work", seconds=120)
    pids = [together.popen.pid, *children(together.popen.pid)]
    assert len(pids) == 4
    found = [memory(pid) for pid in pids]
    print("RSS and PSS in MB:", [(rss // 1024, pss // 1024) for rss, pss in found])
    assert sum(pss for _, pss in found) < MOST
    assert together.stop() == 0


def test_when_one_of_the_three_dies_all_end(layer: Cloud) -> None:
    together = Process([PORTIERE, "cloud", "serve"], layer.env, layer.directory / "serve.log")
    layer.processes.append(together)
    together.start()
    eventually(lambda: "worker_ready" in together.log.read_text(), "it is ready", seconds=120)
    pids = children(together.popen.pid)
    os.kill(pids[0], signal.SIGKILL)
    assert together.popen.wait(timeout=60) == 1
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory(pid: int) -> tuple[int, int]:
    """A process's RSS and PSS, in kB."""
    rollup = dict(
        line.split(maxsplit=1)
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    return int(rollup["Rss:"].split()[0]), int(rollup["Pss:"].split()[0])

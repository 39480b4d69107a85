"""Releases come and go while guests talk: no bad one serves them, any can be gone back from."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rehearsal.builds import (
    BROKEN,
    BROKEN_IN_USE,
    BROKEN_LEADING,
    STEP,
    Played,
    build,
    in_use,
    marked,
    play,
)
from tests.rehearsal.cluster import MAC, VPS, leads, on, until
from tests.rehearsal.drill import ANSWERS_WITHIN, PAUSES_AT_MOST
from tests.rehearsal.drilling import RETURN_PATIENCE
from tests.rehearsal.scenarios.conftest import Scene


@pytest.fixture(scope="module", autouse=True)
def _checked_out() -> Iterator[None]:
    """The hosts run the checked-out release, before and after."""
    deployed(play())
    yield
    deployed(play())


@pytest.fixture
def rate() -> float:
    """Enough to see a pause; more would have the hosts' two cores deploy for an hour."""
    return 2.0


def deployed(found: Played) -> None:
    """See that a playbook has succeeded."""
    assert found.code == 0, found.text[-3000:]


def refused(found: Played) -> str:
    """The words of a playbook that must fail."""
    assert found.code != 0, found.text[-3000:]
    return found.text


def test_a_bad_release_is_found_before_it_serves_guests(scene: Scene, tmp_path: Path) -> None:
    """On the VPS, and so it doesn't get to the Mac; on the Mac alone, too."""
    before, known = in_use(), marked()
    bad = build(tmp_path / "bad", app_gateway_api=BROKEN)
    began = time.time()
    text = refused(play(build_of=bad))
    assert "broken for the rehearsal" in text
    assert "guests have noticed nothing" in text
    assert in_use() == before
    new = {name: releases - known[name] for name, releases in marked().items()}
    assert (len(new["vps"]), new["mac"]) == (1, set())

    text = refused(play("--limit", "mac", build_of=bad))
    assert "broken for the rehearsal" in text
    assert in_use() == before
    assert marked()["mac"] - known["mac"] == new["vps"]

    assert "was marked as bad" in refused(play(build_of=bad))
    assert scene.pause(began) < PAUSES_AT_MOST
    scene.finish()


@pytest.mark.parametrize(
    ("fault", "pause"), [(BROKEN_IN_USE, PAUSES_AT_MOST), (BROKEN_LEADING, ANSWERS_WITHIN)]
)
def test_one_that_fails_in_use_goes_back(
    scene: Scene, tmp_path: Path, fault: str, pause: float
) -> None:
    """The VPS leads while the Mac's is tried, and again once it fails as the leader's."""
    before, known = in_use(), marked()
    bad = build(tmp_path / "bad", app_gateway_api=fault, app_store_migrations=STEP)
    began = time.time()
    text = refused(play("--limit", "mac", build_of=bad))
    assert "went back by itself" in text
    assert in_use() == before
    assert len(marked()["mac"] - known["mac"]) == 1
    assert scene.pause(began) < pause

    until(lambda: leads(MAC), "the Mac leads again, by itself", RETURN_PATIENCE)
    # Once its worker has led it has migrated the database, and the old one goes on with that.
    assert "rehearsed" in tables() or fault == BROKEN_IN_USE
    scene.finish()


def tables() -> str:
    """The names of the tables that the Mac leads with."""
    return on(
        MAC,
        MAC.python,
        "-c",
        f"import sqlite3; print(*sqlite3.connect('file:{MAC.data}/portiere.db?mode=ro', uri=True)"
        '.execute("SELECT name FROM sqlite_master"))',
    )


def test_one_that_fails_in_use_on_the_standby_never_gets_to_the_mac(
    scene: Scene, tmp_path: Path
) -> None:
    before, known = in_use(), marked()
    bad = build(tmp_path / "bad", app_gateway_api=BROKEN_IN_USE)
    began = time.time()
    text = refused(play(build_of=bad))
    assert f"{VPS.name} went back by itself" in text
    assert in_use() == before
    assert (len(marked()["vps"] - known["vps"]), marked()["mac"]) == (1, known["mac"])
    assert scene.pause(began) < PAUSES_AT_MOST
    scene.finish()


def test_a_good_release_there_and_back_by_its_tag(scene: Scene, tmp_path: Path) -> None:
    before = in_use()
    began = time.time()
    deployed(play(build_of=build(tmp_path / "good", app_gateway_api="# another build\n")))
    after = in_use()
    assert after[0] == after[1]
    assert after != before
    for expected in (before, after, before):
        deployed(play("--tags", "rollback"))
        assert in_use() == expected
    assert scene.pause(began) < PAUSES_AT_MOST
    scene.finish()

"""The files of expectations."""

import pytest

from tests.rehearsal.testinfra.environment import VARS, load


@pytest.mark.parametrize("name", sorted(path.stem for path in VARS.glob("*.yml")))
def test_reads(name: str) -> None:
    environment = load(name)
    assert environment.mac.jobs
    assert environment.vps.containers


def test_production_is_not_to_be_changed() -> None:
    environment = load("production.example")
    assert not environment.mutating
    assert not environment.reboot


def test_rehearsal_and_production_expect_the_same() -> None:
    """Else the rehearsal shows nothing of production."""
    rehearsal, production = load("rehearsal"), load("production.example")
    assert rehearsal.mac.jobs == production.mac.jobs
    assert rehearsal.mac.timed_jobs == production.mac.timed_jobs
    assert rehearsal.vps.containers == production.vps.containers
    assert rehearsal.mac.listening == production.mac.listening
    assert rehearsal.vps.listening == production.vps.listening


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(FileNotFoundError, match="rehearsal"):
        load("nowhere")

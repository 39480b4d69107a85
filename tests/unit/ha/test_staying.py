"""What a leader may do that doesn't reach the authority; the clock and the line are the test's."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from app import steady
from app.ha.staying import FIRST_TTL, Staying
from app.settings import Settings
from tests.support.processes import PROPERTY

TTL = FIRST_TTL.total_seconds()
KEY = base64.b64encode(b"k" * 32).decode()


class World:
    """The steady clock, and whether the provider is reached."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path, mode: str) -> None:
        self.time = 1000.0
        self.online = True
        monkeypatch.setattr(steady, "now", lambda: self.time)
        settings = Settings.model_validate(
            {
                "database": directory / "portiere.db",
                "property_file": PROPERTY,
                "spoki_api_key": "invented-key",
                "spoki_webhook_secret": "invented-secret",
                "seal_keys": f"k1:{KEY}",
                "index_key": KEY,
                "ha_when_authority_unreachable": mode,
            }
        )
        self.staying = Staying(settings, None, lambda: self.online)
        self.staying.heard(TTL)

    def look(self, after: float = 2.0) -> float | None:
        """The authority isn't reached, ``after`` seconds later: how long may it lead on?"""
        self.time += after
        until = self.staying.until(7, self.time)
        return None if until is None else until - self.time


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path, "stay")


def test_where_the_provider_is_reached_it_leads_on_from_the_second_look(world: World) -> None:
    assert world.look() is None
    assert world.look() == world.staying.lasts
    assert world.staying.is_alone
    assert all(world.look(5) == world.staying.lasts for _ in range(100))


def test_without_internet_it_does_not(world: World) -> None:
    world.online = False
    assert [world.look() for _ in range(20)] == [None] * 20
    assert not world.staying.is_alone
    assert not world.staying.reaches_provider


def test_once_the_line_is_back_it_waits_for_a_whole_lease(world: World) -> None:
    """By then the VPS leads, and is heard of as soon as the line is really there."""
    world.online = False
    world.look()
    world.online = True
    waited = timedelta(0)
    while world.look(3) is None:
        waited += timedelta(seconds=3)
    assert waited.total_seconds() >= TTL


def test_one_look_without_the_line_takes_it_all_back(world: World) -> None:
    world.look()
    assert world.look() is not None
    world.online = False
    assert world.look() is None
    world.online = True
    assert world.look() is None


def test_the_authority_heard_of_is_a_new_beginning(world: World) -> None:
    world.online = False
    world.look()
    world.online = True
    world.staying.heard(TTL)
    assert world.look() is None
    assert world.look() is not None


def test_by_an_authority_that_refuses_it_it_never_stays(world: World) -> None:
    """It is there: the other node is given the lease."""
    world.look()
    assert world.look() is not None
    assert world.staying.until(7, world.time, is_refused=True) is None
    assert not world.staying.is_alone


def test_who_shall_step_down_never_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, tmp_path, "step_down")
    assert [world.look() for _ in range(20)] == [None] * 20


@pytest.mark.parametrize("mode", ["stay", "step_down"])
def test_a_person_s_word_holds_until_the_authority_is_heard(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str
) -> None:
    world = World(monkeypatch, tmp_path, mode)
    world.online = False
    world.staying.force()
    assert world.look() == world.staying.lasts
    world.staying.heard(TTL)
    assert world.look() is None


def test_the_provider_is_looked_for_now_and_then(world: World) -> None:
    world.online = False
    world.staying.glance()
    assert not world.staying.reaches_provider
    world.online = True
    world.staying.glance()
    assert not world.staying.reaches_provider
    world.time += 60
    world.staying.glance()
    assert world.staying.reaches_provider

"""The node's last view: written whole, old after a while, void after a boot."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import steady
from app.ha import view as views
from app.ha.view import OLD, View
from app.leading import Role, Standing
from app.lease import Answer, Report, Seen


def view(standing: Standing) -> View:
    report = Report(role=Role.STANDBY, term=7, version="1", lag=0.4)
    seen = {"vps": Seen(report=report, age=1.5)}
    lease = Answer(held=True, holder="mac", term=7, ttl=30, free_in=25, nodes=seen)
    return View(at=datetime.now(UTC), node="mac", peer="vps", standing=standing, lease=lease)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    directory = tmp_path / "ha"
    assert views.read(directory) is None
    wanted = view(Standing(Role.LEADER, 7, "mac", steady.now() + 30))
    views.write(directory, wanted)
    found = views.read(directory)
    assert found == wanted
    assert found is not None
    assert found.peer_report is not None
    assert found.peer_report.lag == 0.4
    assert found.is_current


@pytest.mark.parametrize("is_paused", [True, False])
def test_the_other_ones_pause_is_told(is_paused: bool) -> None:
    report = Report(role=Role.LEADER, term=7, version="1", paused=is_paused)
    lease = Answer(
        held=False,
        holder="vps",
        term=7,
        ttl=30,
        free_in=0,
        nodes={"vps": Seen(report=report, age=1)},
    )
    found = view(Standing(Role.STANDBY, 7)).model_copy(update={"lease": lease})
    assert found.is_paused_there is is_paused


@pytest.mark.parametrize("torn", [b"", b'{"at": "2026-11-', b"\xff\x00", b"[]"])
def test_a_torn_view_is_none(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "view.json").write_bytes(torn)
    assert views.read(tmp_path) is None


def test_a_view_grows_old_and_is_of_one_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    found = view(Standing(Role.STANDBY, 7))
    later = steady.now() + OLD.total_seconds() + 1
    with monkeypatch.context() as patched:
        patched.setattr(steady, "now", lambda: later)
        assert not found.is_current
    monkeypatch.setattr(steady, "boot", lambda: "another")
    assert (found.age, found.is_current) == (None, False)


def test_who_leads_with_a_lapsed_lease_holds() -> None:
    leads = view(Standing(Role.LEADER, 7, valid_until=steady.now() + 1000))
    lapsed = view(Standing(Role.LEADER, 7, valid_until=steady.now() - 1))
    endless = view(Standing(Role.LEADER, 7))
    standby = view(Standing(Role.STANDBY, 7))
    assert [(one.leads, one.holds) for one in (leads, lapsed, endless, standby)] == [
        (True, False),
        (False, True),
        (True, False),
        (False, False),
    ]

"""The Mac's launchd daemons."""

import pytest

from tests.rehearsal.testinfra import launchd
from tests.rehearsal.testinfra.conftest import ENVIRONMENT, Target
from tests.rehearsal.testinfra.environment import load

LABELS = load(ENVIRONMENT).mac.jobs
TIMED = load(ENVIRONMENT).mac.timed_jobs


@pytest.mark.parametrize("label", LABELS)
def test_job_is_loaded_and_runs(mac: Target, label: str) -> None:
    job = launchd.job(mac.host, label)
    assert job.loaded, f"{label} is not loaded: launchctl print-disabled system may say why"
    assert job.runs, f"{label} is {job.state}, pid {job.pid}"


@pytest.mark.parametrize("label", TIMED)
def test_job_is_loaded_and_started_by_time(mac: Target, label: str) -> None:
    assert launchd.job(mac.host, label).loaded
    plist = mac.host.file(f"/Library/LaunchDaemons/{label}.plist").content_string
    assert "<key>StartInterval</key>" in plist


@pytest.mark.parametrize("label", [*LABELS, *TIMED])
def test_job_comes_back_at_boot(mac: Target, label: str) -> None:
    """A job may be loaded from a file that is gone, or be switched off for the next boot."""
    plist = mac.host.file(f"/Library/LaunchDaemons/{label}.plist")
    assert plist.is_file
    assert (plist.user, plist.mode) == ("root", 0o644)
    assert f'"{label}" => disabled' not in mac.host.check_output("launchctl print-disabled system")


def test_no_job_beside_them(mac: Target) -> None:
    """What an older release left behind would start again at every boot."""
    found = mac.host.check_output("ls /Library/LaunchDaemons").split()
    ours = {name.removesuffix(".plist") for name in found if name.startswith("app.portiere.")}
    assert ours == {*LABELS, *TIMED}


def test_program_runs_without_privileges(mac: Target) -> None:
    for program in ("gateway", "worker", "node", "redis"):
        label = f"app.portiere.{program}"
        pid = launchd.job(mac.host, label).pid
        user = mac.host.check_output(f"ps -o user= -p {pid}").strip()
        # ps cuts long names on some systems.
        assert user.startswith("_portie"), f"{label} runs as {user}"


def test_gateway_answers(mac: Target) -> None:
    answer = mac.host.check_output("curl --silent --fail --max-time 5 http://127.0.0.1:8080/health")
    assert '"role"' in answer

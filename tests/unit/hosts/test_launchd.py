"""Reading `launchctl print`."""

from tests.rehearsal.testinfra.launchd import Job, parse_print

RUNNING = """\
system/app.portiere.gateway = {
\tactive count = 1
\tpath = /Library/LaunchDaemons/app.portiere.gateway.plist
\tstate = running

\tprogram = /opt/portiere/current/venv/bin/portiere
\targuments = {
\t\t/opt/portiere/current/venv/bin/portiere
\t\tpid = 7
\t}

\tpid = 4711
\tendpoints = {
\t\t"x" = {
\t\t\tstate = waiting
\t\t}
\t}
}
"""
WAITING = "system/app.portiere.backup = {\n\tstate = not running\n\tlast exit code = 1\n}\n"


def test_a_job_that_runs() -> None:
    job = parse_print("app.portiere.gateway", RUNNING)
    assert job == Job("app.portiere.gateway", loaded=True, state="running", pid=4711)
    assert job.runs


def test_a_job_between_two_runs() -> None:
    job = parse_print("app.portiere.backup", WAITING)
    assert job.loaded
    assert not job.runs


def test_a_job_without_a_process_does_not_run() -> None:
    """launchd says `running` for a moment before it names the process."""
    assert not parse_print("x", "system/x = {\n\tstate = running\n}\n").runs

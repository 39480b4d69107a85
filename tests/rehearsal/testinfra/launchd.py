"""What launchd says of a job: testinfra's `service` knows no Darwin."""

import re
from dataclasses import dataclass

from tests.rehearsal.testinfra.connection import Host

# `launchctl error 113`: Could not find specified service.
SERVICE_NOT_FOUND = 113


@dataclass(frozen=True)
class Job:
    """One daemon of the system domain. A job that launchd doesn't know has `loaded` false."""

    label: str
    loaded: bool
    state: str | None = None
    pid: int | None = None

    @property
    def runs(self) -> bool:
        """Whether it has a process."""
        return self.loaded and self.state == "running" and self.pid is not None


def parse_print(label: str, text: str) -> Job:
    """Read `launchctl print system/<label>`: properties of the job itself stand one tab in."""
    properties = dict(re.findall(r"^\t([a-z ]+) = (?!\{)(.*)$", text, re.MULTILINE))
    pid = properties.get("pid")
    return Job(label, loaded=True, state=properties.get("state"), pid=int(pid) if pid else None)


def job(host: Host, label: str) -> Job:
    """Ask launchd for a daemon.

    Raises:
        AssertionError: launchctl failed in another way than by not knowing the job.
    """
    answer = host.run("launchctl print system/%s", label)
    if answer.rc == SERVICE_NOT_FOUND:
        return Job(label, loaded=False)
    assert answer.rc == 0, f"launchctl print system/{label}: {answer.rc} {answer.stderr}"
    return parse_print(label, answer.stdout)

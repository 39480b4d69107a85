"""A launchctl that answers as launchd does where it bites."""

from dataclasses import dataclass, field

LABEL = "app.portiere.gateway"
TARGET = f"system/{LABEL}"
PROGRAM = "/opt/portiere/current/venv/bin/portiere"

PRINT = """system/{label} = {{
\tactive count = 1
\tpath = /Library/LaunchDaemons/{label}.plist
\ttype = LaunchDaemon
\tstate = running

\tprogram = {program}
\targuments = {{
\t\t{program}
\t\tserve
\t}}

\tdefault environment = {{
\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin
\t}}

\tenvironment = {{
\t\tPORTIERE_ENV_FILE => /opt/portiere/etc/portiere.env
\t\tXPC_SERVICE_NAME => {label}
\t}}

\tdomain = system
\tusername = _portiere
\truns = 3
{pid}\tlast exit code = 1

\tproperties = keepalive | runatload
}}
"""


@dataclass
class FakeLaunchd:
    """One job's launchd. Times are in calls of `pause`; `calls` keeps what was asked to change."""

    loaded: bool = False
    disabled: bool = False
    pid: int | None = None
    # How many looks a booted-out job is still seen for, and a bootstrap fails with 5.
    lingers: int = 0
    # Exit codes of the next bootstraps, before it succeeds.
    bootstrap_errors: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    now: float = 0
    _going: int = 0

    def run(self, arguments: list[str]) -> tuple[int, str, str]:
        """Answer one command line."""
        command = arguments[0]
        if command == "print":
            return self._print()
        if command == "print-disabled":
            state = "disabled" if self.disabled else "enabled"
            return 0, f'disabled services = {{\n\t"{LABEL}" => {state}\n}}\n', ""
        self.calls.append(" ".join(arguments))
        answers = {
            "bootout": self._bootout,
            "bootstrap": self._bootstrap,
            "enable": self._enable,
            "kickstart": self._kickstart,
        }
        return answers[command]()

    def pause(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    def clock(self) -> float:
        """Seconds since the test began."""
        return self.now

    def _print(self) -> tuple[int, str, str]:
        if self._going:
            self._going -= 1
            self.loaded = self._going > 0
        if not self.loaded:
            return 113, "", f'Could not find service "{LABEL}" in domain for system'
        pid = f"\tpid = {self.pid}\n" if self.pid else ""
        return 0, PRINT.format(label=LABEL, program=PROGRAM, pid=pid), ""

    def _bootout(self) -> tuple[int, str, str]:
        if not self.loaded:
            return 3, "", "Boot-out failed: 3: No such process"
        self.pid = None
        self._going = self.lingers
        self.loaded = self.lingers > 0
        return (36, "", "Boot-out failed: 36") if self.lingers else (0, "", "")

    def _bootstrap(self) -> tuple[int, str, str]:
        if self.bootstrap_errors:
            code = self.bootstrap_errors.pop(0)
            return code, "", f"Bootstrap failed: {code}"
        if self.loaded:
            return 5, "", "Bootstrap failed: 5: Input/output error"
        if self.disabled:
            return 119, "", "Bootstrap failed: 119: Service is disabled"
        self.loaded, self.pid = True, 500
        return 0, "", ""

    def _enable(self) -> tuple[int, str, str]:
        self.disabled = False
        return 0, "", ""

    def _kickstart(self) -> tuple[int, str, str]:
        self.pid = (self.pid or 500) + 1
        return 0, "", ""

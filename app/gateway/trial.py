"""A release is tried before it replaces the one that serves: its gateway, beside whatever runs.

On a port of its own, over an empty database, as a node without another: nobody is led to it, and
nothing that guests wrote is touched. Redis is the real one, of which it is only asked how it is.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import httpx

# A small machine under load starts it in some seconds.
PATIENCE: Final = timedelta(seconds=60)
_STOP_WITHIN: Final = 10.0
_LOOK_AGAIN: Final = 0.2
_MOST_WORDS: Final = 2000
# What the worker and the node load: a release may be broken in no more than that.
_LOAD: Final = "import app.work.worker, app.ha.node"


class TrialError(Exception):
    """The release doesn't do what it must; says what it said itself."""


def try_out(patience: timedelta = PATIENCE) -> None:
    """Serve for a moment with this process' settings; all of its programs must load.

    Raises :class:`TrialError`.
    """
    _see_that_programs_load()
    with tempfile.TemporaryDirectory(prefix="portiere-trial-") as name:
        directory = Path(name)
        port = _free_port()
        env = {**os.environ, **_settings(directory, port)}
        errors = directory / "errors"
        with errors.open("wb") as out:
            gateway = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.argv[0], "serve"], env=env, stdout=out, stderr=out
            )
            try:
                _await_health(gateway, port, errors, patience)
            finally:
                _end(gateway)


def _settings(directory: Path, port: int) -> Mapping[str, str]:
    """What is other than where it would serve guests."""
    return {
        "PORTIERE_DATABASE": str(directory / "portiere.db"),
        "PORTIERE_GATEWAY_BIND": f"127.0.0.1:{port}",
        "PORTIERE_GATEWAY_WORKERS": "1",
        "PORTIERE_HA_AUTHORITY": "",
        "PORTIERE_LOG_DIR": str(directory),
    }


def _see_that_programs_load() -> None:
    done = subprocess.run(  # noqa: S603 - no argument comes from outside
        [sys.executable, "-c", _LOAD], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TrialError(f"the worker or the node doesn't load:\n{done.stderr[-_MOST_WORDS:]}")


def _await_health(
    gateway: "subprocess.Popen[bytes]", port: int, errors: Path, patience: timedelta
) -> None:
    deadline = time.monotonic() + patience.total_seconds()
    said: Mapping[str, Any] | None = None
    while time.monotonic() < deadline and gateway.poll() is None:
        said = _ask(port) or said
        if said and (said["status"], said["version"]) == ("ok", version("portiere")):
            return
        time.sleep(_LOOK_AGAIN)
    ended = gateway.poll()
    how = f"ended with {ended}" if ended is not None else f"last said: {said or 'nothing'}"
    words = errors.read_text(errors="replace")[-_MOST_WORDS:]
    raise TrialError(f"the gateway doesn't say that all is well; it {how}\n{words}".rstrip())


def _ask(port: int) -> Mapping[str, Any] | None:
    """What /health says; None while nobody answers, or something else does."""
    with suppress(httpx.HTTPError, ValueError):
        said = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).json()
        if isinstance(said, dict) and {"status", "version"} <= said.keys():
            return said
    return None


def _end(gateway: "subprocess.Popen[bytes]") -> None:
    gateway.send_signal(signal.SIGTERM)
    try:
        gateway.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        gateway.kill()
        gateway.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

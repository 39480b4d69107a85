"""An SFTP server on loopback, as the other machine's sshd would be: one user, one key.

``python -m tests.support.sftp PORT DIRECTORY`` serves the whole file system to ``desk``, who has
the key of ``DIRECTORY/user``; its own key is ``DIRECTORY/host``. At the end of each session it says
how often it was asked for something.
"""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.support.processes import REPOSITORY, Process, eventually, free_port


@dataclass
class SftpServer:
    """A running one, and what is needed to use it."""

    process: Process
    port: int
    key: Path
    host_key: str

    def url(self, path: Path) -> str:
        """The address of a directory."""
        return f"sftp://desk@127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        seen = self._listened()
        self.process.start()
        eventually(lambda: self.process.alive() and self._listened() > seen, "it listens")

    def asked(self) -> int:
        """How many requests the sessions had that have ended: each is a round trip, or a part."""
        return sum(int(count) for count in re.findall(r"asked (\d+)", self.process.log.read_text()))

    def _listened(self) -> int:
        return self.process.log.read_text().count("listening") if self.process.log.exists() else 0


@contextmanager
def sftp_server(directory: Path) -> Iterator[SftpServer]:
    """A running server; its keys are new."""
    for name in ("host", "user"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(directory / name)
        key.write_public_key(directory / f"{name}.pub")
    port = free_port()
    command = [sys.executable, "-m", "tests.support.sftp", str(port), str(directory)]
    process = Process(command, {"PYTHONPATH": str(REPOSITORY)}, directory / "sftp.log")
    (directory / "user").chmod(0o600)
    host_key = (directory / "host.pub").read_text().strip()
    server = SftpServer(process, port, directory / "user", host_key)
    server.start()
    try:
        yield server
    finally:
        process.kill()


class _Counting(asyncssh.SFTPServer):
    """Counts what a copy is made of: opening, reading, listing."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel)
        self._asked = 0

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        self._asked += 1
        return super().open(path, pflags, attrs)

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        self._asked += 1
        return super().read(file_obj, offset, size)  # type: ignore[return-value]  # it is no coroutine

    def exit(self) -> None:
        print(f"asked {self._asked}", flush=True)


async def _serve(port: int, directory: Path) -> None:
    await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(directory / "host")],
        authorized_client_keys=str(directory / "user.pub"),
        sftp_factory=_Counting,
    )
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))

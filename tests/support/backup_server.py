"""The VPS's SSH on loopback, as the Mac sees it: one key, for which there is one command.

``python -m tests.support.backup_server PORT DIRECTORY REPOSITORY`` answers ``desk``, who has the
key of ``DIRECTORY/user``, with `rclone serve restic --append-only`, whatever he asks for.
"""

import asyncio
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from tests.support.processes import REPOSITORY, Process, eventually, free_port


@contextmanager
def backup_server(directory: Path, repository: Path) -> Iterator[str]:
    """The command that reaches it, as in PORTIERE_BACKUP_SSH; its keys are new."""
    directory.mkdir()
    for name in ("host", "user"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(directory / name)
        key.write_public_key(directory / f"{name}.pub")
    (directory / "user").chmod(0o600)
    port = free_port()
    host_key = (directory / "host.pub").read_text()
    (directory / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    command = [sys.executable, "-m", "tests.support.backup_server", str(port), str(directory)]
    env = {"PYTHONPATH": str(REPOSITORY)}
    process = Process([*command, str(repository)], env, directory / "log")
    process.start()
    eventually(lambda: "listening" in process.log.read_text(), "it listens")
    known = f"-o UserKnownHostsFile={directory / 'known'} -o GlobalKnownHostsFile=/dev/null"
    try:
        yield (
            f"ssh -F none -o BatchMode=yes {known} -i {directory / 'user'} -p {port} desk@127.0.0.1"
        )
    finally:
        process.kill()


async def _serve(port: int, directory: Path, repository: str) -> None:
    command = shlex.split("rclone --config= serve restic --stdio --append-only")

    async def answer(asked: "asyncssh.SSHServerProcess[bytes]") -> None:
        served = await asyncio.create_subprocess_exec(
            *command,
            repository,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await asked.redirect(stdin=served.stdin, stdout=served.stdout, stderr=served.stderr)
        asked.exit(await served.wait())

    await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(directory / "host")],
        authorized_client_keys=str(directory / "user.pub"),
        process_factory=answer,
        encoding=None,
    )
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))

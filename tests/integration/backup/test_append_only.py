"""What the Mac's credentials can do to the repository on the VPS: add to it, and remove locks.

All of it is tried that restic offers, and requests that restic wouldn't make, by the account's one
way in: SSH whose command is the server's.
"""

import os
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.program import unlock
from app.backup.restic import RefusedError, Repository
from tests.support.backup_server import backup_server
from tests.support.backups import KEY, Writer, back_up, files, made, repository

pytestmark = pytest.mark.thorough


@dataclass(frozen=True)
class Both:
    """One repository: as the VPS has it, and as the Mac reaches it by ``ssh``."""

    vps: Repository
    mac: Repository
    ssh: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("vps")
    vps = made(directory)
    with backup_server(directory / "ssh", Path(vps.address)) as ssh:
        mac = repository(tmp_path_factory.mktemp("mac"), "rclone:portiere", ssh=ssh)
        for minute, text in enumerate(("one", "two")):
            back_up(mac, directory, text, at=datetime.now(UTC) - timedelta(minutes=9 - minute))
        yield Both(vps, mac, ssh)


def test_the_mac_adds_and_reads(both: Both, tmp_path: Path) -> None:
    before = files(both.vps)
    snapshot = back_up(both.mac, tmp_path, "three")
    restic.restore(both.mac, snapshot.id, tmp_path / "restored")
    assert (tmp_path / "restored/a file").read_text() == "three"
    after = files(both.vps)
    assert before.items() < after.items()


# Each would delete, overwrite or forget, and comes upon a refusal.
REFUSED = (
    "forget --tag sqlite --keep-last 1 --group-by host",
    "forget ID",
    "forget ID --prune",
    "tag --add other ID",
    "tag --set other",
    "rebuild-index",
    "rebuild-index --read-all-packs",
)


@pytest.mark.parametrize("asked", REFUSED)
def test_by_restic_nothing_can_be_deleted_or_forgotten(both: Both, asked: str) -> None:
    before, oldest = files(both.vps), restic.snapshots(both.vps)[0]
    told = attempt(both, asked.replace("ID", oldest.id))
    assert "403" in told
    assert before.items() <= files(both.vps).items()
    unlock_all(both)


def test_the_password_can_not_be_changed_nor_a_key_removed(both: Both, tmp_path: Path) -> None:
    before = files(both.vps)
    (tmp_path / "new").write_text("another key")
    told = attempt(both, f"key passwd --new-password-file {tmp_path / 'new'}")
    assert "403" in told
    assert before.items() <= files(both.vps).items()
    assert restic.exists(both.vps)
    unlock_all(both)


def test_pruning_deletes_nothing(both: Both, tmp_path: Path) -> None:
    # Something to prune, of which no snapshot knows.
    gone = back_up(both.mac, tmp_path, os.urandom(5000).hex(), kind=Kind.LOGS)
    (Path(both.vps.address) / "snapshots" / gone.id).unlink()
    before = files(both.vps)
    told = attempt(both, "prune --max-unused 0")
    assert "403" in told
    assert before.items() <= files(both.vps).items()
    unlock_all(both)


def test_it_can_not_be_made_anew(both: Both) -> None:
    before = files(both.vps)
    with pytest.raises(restic.BackupError, match="already exists"):
        restic.initialise(both.mac)
    assert before == files(both.vps)


def test_what_is_refused_says_so(both: Both) -> None:
    """As an error, however restic ends: what could not be tagged is not said to be."""
    # Not a tag that an earlier attempt has left on a second one.
    snapshot = restic.snapshots(both.mac)[0]
    with pytest.raises(RefusedError, match="nothing else"):
        restic.tag(both.mac, snapshot, add=["one of its own"])


def test_locks_can_be_removed(both: Both, tmp_path: Path) -> None:
    old = Writer(both.vps).lock(datetime.now(UTC) - timedelta(minutes=31))
    unlock(both.mac)
    assert not old.exists()
    # Also while another's would be in the way, which is waited for no longer than patience says.
    Writer(both.vps).lock(datetime.now(UTC) - timedelta(minutes=31))
    patient = replace(both.mac, patience=timedelta(seconds=30))
    back_up(patient, tmp_path, "four")


def test_by_no_request_can_a_file_be_deleted_or_overwritten(both: Both) -> None:
    before = files(both.vps)
    one_of_each = {path.split("/")[0]: path for path in before}
    assert set(one_of_each) == {"config", "data", "index", "keys", "snapshots"}
    with reached(both.ssh) as port:
        # The server answers at all, and reads what it is asked for.
        assert ask(port, [("GET", "/config")]) == [200]
        for path in one_of_each.values():
            asked = list(requests(path))
            statuses = ask(port, asked)
            assert len(statuses) == len(asked)
            # To add a file, or a directory that is there, is granted; see below what was not.
            assert not [
                (request, status)
                for request, status in zip(asked, statuses, strict=True)
                if status < 400 and request[0] != "POST"
            ]
    assert before.items() <= files(both.vps).items()


def requests(path: str) -> Iterator[tuple[str, str]]:
    """What would delete or overwrite a file, straight or by a way round the look at its path."""
    name = path.rsplit("/", 1)[-1]
    # Restic doesn't know in which directory of `data` a file is.
    for one in {path, f"data/{name}" if path.startswith("data/") else path}:
        for method in ("DELETE", "POST", "PUT", "PATCH", "MOVE", "COPY"):
            yield method, f"/{one}"
        for method in ("DELETE", "POST"):
            yield method, f"/locks/../{one}"
            yield method, f"/{one}/locks/.."
            yield method, f"/{one}/../locks/{name}"
            yield method, f"//{one}"
            yield method, f"/./{one}"
            yield method, f"/locks/%2e%2e/{one}"
            yield method, f"/{one.replace('/', '%2F')}"
            yield method, f"/locks%2F..%2F{one}"
            yield method, f"/{one}?x=/locks/{name}"
            yield method, f"/{one}%00/locks/{name}"
    for directory in ("", "data/", "snapshots/", "keys/", "index/", "locks/../", "data/../"):
        yield "DELETE", f"/{directory}"
        yield "POST", f"/{directory}?create=true"


def ask(port: int, requests: Sequence[tuple[str, str]]) -> list[int]:
    """The status of each answer, by HTTP/2 as restic speaks it; the paths as they are."""
    told: list[str] = []
    for method, path in requests:
        body = ["--data-binary", "overwritten"] if method in {"POST", "PUT", "PATCH"} else []
        to = ["-H", "Destination: /moved"] if method in {"MOVE", "COPY"} else []
        how = ["-s", "--http2-prior-knowledge", "--path-as-is", "--max-time", "20", "-X", method]
        out = ["-o", os.devnull, "-w", "%{http_code}\\n", f"http://127.0.0.1:{port}{path}"]
        told += [*(["--next"] if told else []), *how, *body, *to, *out]
    done = subprocess.run(["curl", *told], check=False, capture_output=True, text=True)
    # No answer at all, such as a stream that is reset, is a refusal, too.
    return [int(status) or 500 for status in done.stdout.split()]


@contextmanager
def reached(ssh: str) -> Iterator[int]:
    """A port, each connection to which is one to the server by SSH."""

    class ToServer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            subprocess.run(
                shlex.split(ssh),
                check=False,
                stdin=self.request,
                stdout=self.request,
                stderr=subprocess.DEVNULL,
            )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ToServer) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def attempt(both: Both, asked: str) -> str:
    """What restic said, which the Mac ran; until the first refusal, which it tries again."""
    options = ["-r", both.mac.address, "-o", f"rclone.program={both.ssh}"]
    cache = str(both.mac.directory / "restic")
    process = subprocess.Popen(
        ["restic", *options, *shlex.split(asked)],
        env={**os.environ, "RESTIC_PASSWORD": KEY, "RESTIC_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "403" in line:
            process.kill()
    process.wait()
    return said


def unlock_all(both: Both) -> None:
    """What was killed leaves its lock; the Mac removes it."""
    attempt(both, "unlock --remove-all")
    assert not list((Path(both.vps.address) / "locks").iterdir())

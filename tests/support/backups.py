"""Repositories for tests, and what would take a month to come into one, written into it at once."""

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305
from pydantic import SecretStr

from app.backup import restic
from app.backup.kinds import Kind
from app.backup.program import run
from app.backup.restic import Repository, Snapshot

KEY: Final = "invented-backup-key"


def repository(directory: Path, address: str = "", **given: Any) -> Repository:
    """One at ``address``, else in ``directory``; made it isn't."""
    return Repository(
        address or str(directory / "repository"),
        SecretStr(KEY),
        directory / "backup",
        **{"patience": timedelta(0), **given},
    )


def made(directory: Path, **given: Any) -> Repository:
    """One in ``directory``, with nothing in it."""
    found = repository(directory, **given)
    restic.initialise(found)
    return found


def by_rclone(repo: Repository, served: str = "", before: str = "") -> Repository:
    """The same through rclone on this machine, as the other machine reaches it by SSH.

    ``before``: what the shell does first.
    """
    served = served or f"--append-only {repo.address}"
    program = f"sh -c '{before} exec rclone --config= serve restic --stdio {served}'"
    return replace(repo, address="rclone:portiere", ssh=program)


def back_up(repo: Repository, directory: Path, text: str = "a row", **given: Any) -> Snapshot:
    """A snapshot of one file ``a file`` with ``text``: of SQLite, of the Mac, of now."""
    staged = directory / "staged"
    staged.mkdir(exist_ok=True)
    (staged / "a file").write_text(text)
    told = {"kind": Kind.SQLITE, "host": "mac", "at": datetime.now(UTC), **given}
    return restic.back_up(repo, told["kind"], told["host"], told["at"], staged)


def files(repo: Repository) -> dict[str, bytes]:
    """All that is in a repository on this machine, but locks."""
    root = Path(repo.address)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.parent.name != "locks"
    }


class Writer:
    """Writes restic's own small files, sealed as restic does: thousands in the time of one run."""

    def __init__(self, repo: Repository) -> None:
        key = json.loads(run(repo, ["cat", "masterkey"], within=timedelta(minutes=1)))
        self._root = Path(repo.address)
        self._encrypt = base64.b64decode(key["encrypt"])
        self._mac_key = base64.b64decode(key["mac"]["k"])
        self._mac_r = base64.b64decode(key["mac"]["r"])

    def lock(self, at: datetime, host: str = "elsewhere") -> Path:
        """The lock of one who has the repository to himself."""
        told = {"exclusive": True, "hostname": host, "username": "desk", "pid": 1}
        return self._write("locks", {"time": at.isoformat(), **told})

    def snapshots(self, tree: str, those: Iterable[tuple[Kind, str, datetime]]) -> None:
        """Snapshots of ``tree``."""
        for kind, host, at in those:
            told = {"tree": tree, "paths": ["/staged"], "hostname": host, "tags": [kind.value]}
            self._write("snapshots", {"time": at.isoformat(), **told})

    def _write(self, where: str, what: dict[str, Any]) -> Path:
        sealed = self._sealed(json.dumps(what).encode())
        path = self._root / where / hashlib.sha256(sealed).hexdigest()
        path.write_bytes(sealed)
        return path

    def _sealed(self, plain: bytes) -> bytes:
        """AES-256-CTR and Poly1305-AES, as restic's design document has them."""
        nonce = os.urandom(16)
        encryptor = Cipher(algorithms.AES256(self._encrypt), modes.CTR(nonce)).encryptor()
        sealed = encryptor.update(plain) + encryptor.finalize()
        block = Cipher(algorithms.AES128(self._mac_key), modes.ECB()).encryptor()
        once = block.update(nonce) + block.finalize()
        return nonce + sealed + Poly1305.generate_tag(self._mac_r + once, sealed)


def tree_of(repo: Repository, snapshot: Snapshot) -> str:
    """What a snapshot refers to."""
    told = json.loads(run(repo, ["cat", "snapshot", snapshot.id], within=timedelta(minutes=1)))
    return str(told["tree"])

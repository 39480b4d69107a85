"""What stops restic, as errors that say what to do; any of its versions says it in words."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

# A function or a place in a Go source; what is tried again, and what rclone has no need of.
_NOTHING_SAID: Final = re.compile(r"\s*[\w./()*:-]*|.* retrying after .*|.* NOTICE: .*")
# Of what it said, that many characters are told on.
_TOLD: Final = 400


class BackupError(Exception):
    """A repository can't be used, or not so; the message says what to do."""


class WrongKeyError(BackupError):
    """The password opens none of the repository's keys."""


class UnreachableError(BackupError):
    """Whoever has the repository doesn't answer."""


class MissingError(BackupError):
    """There is no repository, or no such snapshot in it."""


class NoSpaceError(BackupError):
    """A disk is full, there or here."""


class DamagedError(BackupError):
    """What is stored is not what was stored."""


class LockedError(BackupError):
    """Another has it to itself, for longer than we wait."""


class RefusedError(BackupError):
    """The server doesn't let us do that."""


# What each is known by, the first first: a server that doesn't answer is also said to have no
# repository.
_KNOWN_BY: Final[Sequence[tuple[type[BackupError], Sequence[str], str]]] = (
    (
        NoSpaceError,
        ("no space left", "quota exceeded", "insufficient storage", "remaining disk space"),
        "make room where the repository is, and where PORTIERE_DATABASE is: docs/backup.md",
    ),
    (
        WrongKeyError,
        ("wrong password", "no key found"),
        "PORTIERE_BACKUP_KEY is not the repository's: take the one that was printed for paper",
    ),
    (
        LockedError,
        ("unable to create lock", "already locked"),
        "another backup or check has it; if none runs anywhere: restic unlock --remove-all",
    ),
    (
        UnreachableError,
        (
            "dial tcp",
            "connection refused",
            "connection reset",
            "connection closed",
            "connection already closed",
            "no such host",
            "talking http to rclone",
            "i/o timeout",
            "unreachable",
            "fork/exec",
            "executable file not found",
            "tls: ",
            "x509: ",
        ),
        "look whether the machine is up, and whether PORTIERE_BACKUP_SSH reaches it by hand",
    ),
    (
        RefusedError,
        (
            "403 forbidden",
            "access denied",
            "invalidaccesskeyid",
            "signaturedoesnotmatch",
            "permission denied",
        ),
        "the account may add to the repository, and nothing else: see docs/backup.md for who may",
    ),
    (
        MissingError,
        (
            "is there a repository",
            "unable to open config file",
            "repository does not exist",
            "bucket does not exist",
            "no matching id found",
            "no snapshot found",
        ),
        "look at the address and at the snapshot's id; portiere backup list has them",
    ),
    (
        DamagedError,
        (
            "ciphertext verification failed",
            "repository contains errors",
            "invalid data returned",
            "does not match id",
            "hash mismatch",
            "not found in index",
            "is not contained in",
            "unexpected eof",
            "there were",
        ),
        "part of the repository is damaged: docs/restore.md says what to do",
    ),
)
# Of newer versions of restic.
_BY_CODE: Final = {10: MissingError, 11: LockedError, 12: WrongKeyError}
_REMEDIES: Final = {known: remedy for known, _, remedy in _KNOWN_BY}


def error_of(address: str, code: int, err: str) -> BackupError:
    """What stopped restic at a repository, by its exit code and what it wrote to standard error."""
    said = _said(err)
    plain = said.lower()
    found = next(
        (known for known, words, _ in _KNOWN_BY if any(word in plain for word in words)),
        _BY_CODE.get(code, BackupError),
    )
    remedy = _REMEDIES.get(found, "docs/backup.md says how to look with restic itself")
    return found(f"{address}: {said[-_TOLD:] or f'restic exited with {code}'} - {remedy}")


def _said(err: str) -> str:
    """What it said on standard error, without Go's stacks; since 0.17 some of that is JSON."""
    lines = (_line_said(line) for line in err.splitlines() if not _NOTHING_SAID.fullmatch(line))
    return "\n".join(lines)


def _line_said(line: str) -> str:
    if not line.startswith("{"):
        return line.strip()
    try:
        told: Any = json.loads(line)
    except ValueError:
        return line.strip()
    error = told.get("error")
    return str(told.get("message") or (error.get("message") if isinstance(error, dict) else line))

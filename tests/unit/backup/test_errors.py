"""What restic said, in two of its versions, and what is made of it."""

import pytest

from app.backup.errors import (
    BackupError,
    DamagedError,
    LockedError,
    MissingError,
    NoSpaceError,
    RefusedError,
    UnreachableError,
    WrongKeyError,
    error_of,
)

# As 0.14 and 0.18 said it, with their exit codes.
SAID: list[tuple[type[BackupError], int, str]] = [
    (WrongKeyError, 1, "Fatal: wrong password or no key found"),
    (
        WrongKeyError,
        12,
        '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}',
    ),
    (
        MissingError,
        1,
        "Fatal: unable to open config file: stat /srv/backup/config: no such file or directory\n"
        "Is there a repository at the following location?\n/srv/backup",
    ),
    (
        MissingError,
        10,
        '{"message_type":"exit_error","code":10,"message":"Fatal: repository does not exist"}',
    ),
    (MissingError, 1, 'invalid id "deadbeef": no matching ID found for prefix "deadbeef"'),
    # It asks for the repository where it is the server that doesn't answer.
    (
        UnreachableError,
        1,
        'Fatal: unable to open config file: Stat: Get "http://127.0.0.1:9/b/?location=": dial tcp '
        "127.0.0.1:9: connect: connection refused\n"
        "Is there a repository at the following location?\ns3:http://127.0.0.1:9/b",
    ),
    (
        UnreachableError,
        1,
        "rclone: ssh: connect to host 127.0.0.1 port 9: Connection refused\nFatal: unable to open "
        "repository at rclone:x: error talking HTTP to rclone: exit status 255",
    ),
    (
        LockedError,
        11,
        "unable to create lock in backend: repository is already locked by PID 1 on vps",
    ),
    (
        RefusedError,
        1,
        "Remove(<snapshot/67fd88c24a>) returned error, retrying after 720.254544ms: 403 Forbidden\n"
        "blob not removed, server response: 403 Forbidden (403)\n"
        "github.com/restic/restic/internal/backend/rest.(*Backend).Remove\n"
        "github.com/restic/restic/internal/backend/rest/rest.go:364",
    ),
    (NoSpaceError, 1, "Fatal: write /srv/backup/data/tmp: no space left on device"),
    (DamagedError, 1, "pack 1234 does not match id\nFatal: repository contains errors"),
    (BackupError, 130, "signal interrupt received, cleaning up"),
    # Not 403, but part of an id.
    (BackupError, 1, "Fatal: something else about snapshot 44032403"),
    (BackupError, 1, ""),
    (BackupError, 1, "{ this is no JSON"),
]


@pytest.mark.parametrize(("kind", "code", "said"), SAID)
def test_what_stopped_it_is_known(kind: type[BackupError], code: int, said: str) -> None:
    error = error_of("/srv/backup", code, said)
    assert type(error) is kind
    assert str(error).startswith("/srv/backup: ")
    # And what to do.
    assert " - " in str(error)


def test_a_stack_and_what_was_tried_again_are_not_told() -> None:
    told = str(error_of("/srv/backup", 1, next(s for kind, _, s in SAID if kind is RefusedError)))
    assert "blob not removed" in told
    assert "rest.go" not in told
    assert "retrying" not in told

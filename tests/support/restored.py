"""``portiere restore`` on a host of `tests.support.both_machines`, and what a database has."""

import os
import resource
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.backup import restic, staging
from app.backup.kinds import Kind
from app.backup.restic import Snapshot
from app.backup.staging import DATABASE
from app.messages import leading
from app.messages.inbox import Inbox
from app.providers.registry import parse_stored
from app.sealing import Seal
from app.settings import ProviderName, Settings
from app.store.database import connect, now_ms, open_copy, open_database
from tests.support.both_machines import Host
from tests.support.events import encode, inbound
from tests.support.processes import PORTIERE

# The answer that :func:`write_rows` has as sent.
SENT = "reply-00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True)
class Said:
    """How a command ended, and all that it said."""

    code: int
    out: str


def with_backups(directory: Path) -> dict[str, str]:
    """The settings of a repository in ``directory``."""
    return {
        "PORTIERE_BACKUP_REPOSITORIES": str(directory / "backup"),
        "PORTIERE_BACKUP_KEY": "an invented key of backups",
    }


def restore(
    host: Host, *words: str, env: Mapping[str, str] | None = None, most: int | None = None
) -> Said:
    """Run it; it doesn't ask. No file may grow beyond ``most`` bytes, as on a disk that is full."""

    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    done = subprocess.run(
        [PORTIERE, "restore", "--yes", *words],
        check=False,
        env={**os.environ, **host.env, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        preexec_fn=limit,
    )
    return Said(done.returncode, done.stdout)


def settings_of(host: Host) -> Settings:
    """Those of its processes."""
    named = {name.removeprefix("PORTIERE_").lower(): text for name, text in host.env.items()}
    return Settings.model_validate(named)


def copy_of(host: Host, to: Path) -> Path:
    """The host's database as it is now, whole."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_copy(host.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(to),))
    return to


def killed_at(host: Host, sign: str) -> None:
    """Run it, and kill it once it has said ``sign``."""
    process = subprocess.Popen(
        [PORTIERE, "restore", "--yes"],
        env={**os.environ, "PYTHONUNBUFFERED": "1", **host.env},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert any(sign in line for line in process.stdout)
        process.kill()


def back_up(host: Host, staged: Path, kind: Kind = Kind.SQLITE) -> Snapshot:
    """A snapshot of what is in ``staged``, made just now."""
    found = settings_of(host)
    (repository,) = restic.repositories(found)
    if not restic.exists(repository):
        restic.initialise(repository)
    return restic.back_up(repository, kind, host.name, datetime.now(UTC), staged)


def back_up_database(host: Host, directory: Path) -> Snapshot:
    """A snapshot of its database, as it is now."""
    return back_up(host, copy_of(host, directory / DATABASE).parent)


def back_up_queue(host: Host, staged: Path) -> Snapshot:
    """A snapshot of its Redis, as it is now."""
    staged.mkdir()
    staging.stage(settings_of(host), Kind.REDIS, staged)
    return back_up(host, staged, Kind.REDIS)


def mark(host: Host, code: str) -> datetime:
    """Write a booking; when it surely was written, by seconds."""
    database = open_database(host.database)
    try:
        with database.transaction() as connection:
            connection.execute(
                "INSERT INTO bookings (channel, code, status, created_at, updated_at) "
                "VALUES ('direct', ?, 'confirmed', ?, ?)",
                (code, now_ms(), now_ms()),
            )
    finally:
        database.close_all()
    return datetime.now(UTC)


def marks(host: Host) -> list[str]:
    """The bookings that it has."""
    with closing(open_copy(host.database)) as connection:
        return [row[0] for row in connection.execute("SELECT code FROM bookings ORDER BY code")]


def written(moment: datetime) -> str:
    """A moment as a person writes it."""
    return moment.isoformat()


def write_rows(settings: Settings, path: Path, code: str) -> None:
    """A booking; and, of ``since``, a guest's message that was answered."""
    database = open_database(path)
    with database.transaction() as connection:
        leading.begin_term(connection, 3, "mac", "first", "{}")
        connection.execute(
            "INSERT INTO bookings (channel, code, status, created_at, updated_at) "
            "VALUES ('direct', ?, 'confirmed', ?, ?)",
            (code, now_ms(), now_ms()),
        )
        leading.beat(connection)
    if code == "since":
        _answer(settings, path)
    database.close_all()
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _answer(settings: Settings, path: Path) -> None:
    database = open_database(path)
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    body = encode(inbound("Grazie!", phone="+390000000001"))
    event = parse_stored(ProviderName.SPOKI, body)
    with database.transaction() as connection:
        row = Inbox(database, seal, settings.relay_grace).accept(event, body)(connection)
        connection.execute("UPDATE inbox SET state = 'done' WHERE id = ?", (row.row_id,))
        connection.execute(_SENT, {"key": SENT, "inbox": row.row_id, "now": now_ms()})
    database.close_all()


_SENT = """
INSERT INTO outbox (idempotency_key, inbox_id, guest, kind, lane, sealed_phone, sealed_message,
                    language, state, provider_id, created_at, not_before, next_at, sending_at,
                    sent_at)
SELECT :key, :inbox, guest, 'reply', 'talk', x'00', x'00', 'it', 'sent', 'p1', :now, :now, :now,
       :now, :now
FROM inbox WHERE id = :inbox
"""

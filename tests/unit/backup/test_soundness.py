"""Whether a database may become the desk's: each reason against it is found, and told apart."""

import random
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from app.backup.manifest import ManifestError, check_manifest, write_manifest
from app.backup.soundness import (
    DamagedError,
    NewerSchemaError,
    OtherKeysError,
    SoundnessError,
    TableDigest,
    UncheckedError,
    check_database,
    table_digests,
)
from app.backup.staging import DATABASE
from app.sealing import Seal
from app.settings import Settings
from app.store.database import connect, open_copy, open_database
from tests.support.furnished import KEY, OTHER_KEY, furnish, settings_of
from tests.support.trials import TRIALS


@pytest.fixture
def desk(tmp_path: Path) -> Settings:
    found = settings_of(tmp_path)
    furnish(found)
    return found


def change(path: Path, *statements: str) -> None:
    """Write to the file as no program of ours would."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA journal_mode = DELETE")
        for statement in statements:
            connection.execute(statement)


def vacuumed(source: Path, to: Path) -> Path:
    """A snapshot, as backups make them."""
    with closing(open_copy(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(to),))
    return to


def test_a_sound_one_passes_and_is_left_as_it_was(desk: Settings, tmp_path: Path) -> None:
    snapshot = vacuumed(desk.database, tmp_path / "snapshot.db")
    before = snapshot.read_bytes()
    check_database(snapshot, desk)
    check_database(snapshot, desk, sample=3)
    assert snapshot.read_bytes() == before


def test_the_live_one_is_checked_while_it_is_written(desk: Settings) -> None:
    database = open_database(desk.database)
    with database.transaction() as connection:
        connection.execute("UPDATE guests SET language = 'de'")
        check_database(desk.database, desk)
    check_database(desk.database, desk)
    database.close_all()


def test_what_isnt_there_or_is_locked_is_not_called_damaged(desk: Settings, tmp_path: Path) -> None:
    with pytest.raises(UncheckedError, match="isn't there"):
        check_database(tmp_path / "none.db", desk)
    with closing(connect(desk.database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UncheckedError, match="try again"):
            check_database(desk.database, desk)


@pytest.mark.parametrize("content", [b"", b"no database " * 1000])
def test_another_kind_of_file_is_refused(desk: Settings, tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    with pytest.raises(DamagedError, match="older backup"):
        check_database(other, desk)


def test_half_a_file_is_refused(desk: Settings, tmp_path: Path) -> None:
    half = tmp_path / "half.db"
    whole = desk.database.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError):
        check_database(half, desk)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DROP TABLE cloud_events", "lacks cloud_events"),
        ("DROP INDEX inbox_open", "lacks inbox_open"),
        ("DELETE FROM inbox WHERE id = 7", "row 7 of outbox belongs to no row of inbox"),
        ("DELETE FROM _sqlite_migrations", "none of Portiere's tables"),
        ("UPDATE inbox SET sealed_body = x'' WHERE id = 7", "inbox.body of row 7: this is no"),
        (
            "UPDATE inbox SET sealed_body = (SELECT sealed_body FROM inbox WHERE id = 8) "
            "WHERE id = 7",
            "inbox.body of row 7: a sealed value of inbox.body does not open",
        ),
    ],
)
def test_what_was_lost_or_moved_is_named(desk: Settings, statement: str, why: str) -> None:
    change(desk.database, statement)
    with pytest.raises(DamagedError, match=why):
        check_database(desk.database, desk)


def test_one_of_a_newer_release_says_which(desk: Settings) -> None:
    change(
        desk.database,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('portiere', 'bicycles', '')",
    )
    with pytest.raises(NewerSchemaError, match="bicycles"):
        check_database(desk.database, desk)


def test_one_of_an_older_release_is_sound(desk: Settings) -> None:
    change(
        desk.database,
        "DELETE FROM _sqlite_migrations WHERE name = 'failover'",
        "DROP TABLE leadership",
        "ALTER TABLE outbox DROP COLUMN term",
        "PRAGMA journal_mode = WAL",
    )
    check_database(desk.database, desk)


def test_what_another_program_added_is_no_harm(desk: Settings) -> None:
    change(desk.database, "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
    check_database(desk.database, desk)


@pytest.mark.parametrize(
    ("keys", "why"), [(f"k1:{OTHER_KEY}", "does not open"), (f"k2:{OTHER_KEY}", "'k1'")]
)
def test_other_keys_are_told_from_damage(
    desk: Settings, tmp_path: Path, keys: str, why: str
) -> None:
    other = settings_of(tmp_path, seal_keys=keys)
    with pytest.raises(OtherKeysError, match=why) as error:
        check_database(desk.database, other)
    assert "PORTIERE_SEAL_KEYS" in str(error.value)


def test_a_key_that_was_retired_and_removed_is_missed(desk: Settings, tmp_path: Path) -> None:
    rotated = settings_of(tmp_path / "more", seal_keys=f"k2:{OTHER_KEY},k1:{KEY}")
    rotated = rotated.model_copy(update={"database": desk.database})
    with closing(connect(desk.database)) as connection:
        connection.execute("DELETE FROM guests")
    furnish_more(rotated)
    check_database(desk.database, rotated)
    without = settings_of(tmp_path / "without", seal_keys=f"k2:{OTHER_KEY}")
    with pytest.raises(OtherKeysError, match="'k1' is not among"):
        check_database(desk.database, without)


def furnish_more(settings: Settings) -> None:
    """Some values under the newest key, beside those of the older one."""
    seal = Seal(settings.seal_key_bytes, settings.index_key_bytes)
    with closing(connect(settings.database)) as connection:
        connection.execute(
            "INSERT INTO alerts (key, kind, sealed_text, urgent, created_at) "
            "VALUES ('a', 'reminder', ?, 0, 0)",
            (seal.seal("Text", "alerts.text:a"),),
        )


def test_two_copies_of_the_same_have_the_same_digests(desk: Settings, tmp_path: Path) -> None:
    snapshot = vacuumed(desk.database, tmp_path / "snapshot.db")
    digests = table_digests(snapshot)
    assert digests == table_digests(desk.database)
    assert digests["guests"].rows == 40
    change(snapshot, "UPDATE bookings SET arrival = '2026-12-25' WHERE id = 7")
    changed = table_digests(snapshot)
    assert {name for name in digests if digests[name] != changed[name]} == {"bookings"}


def flipped(path: Path, to: Path, chance: random.Random) -> None:
    """A copy with one bit turned."""
    shutil.copyfile(path, to)
    raw = bytearray(to.read_bytes())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    to.write_bytes(raw)


def verdict(directory: Path, settings: Settings, good: Mapping[str, TableDigest]) -> str:
    """How a drill finds that a snapshot is not what was made, and whether that matters."""
    try:
        check_database(directory / DATABASE, settings)
    except SoundnessError as error:
        return type(error).__name__
    holds = table_digests(directory / DATABASE) == good
    try:
        check_manifest(directory)
    except ManifestError:
        return "manifest: harmless" if holds else "manifest: other rows"
    return "harmless" if holds else "nobody noticed other rows"


@pytest.mark.thorough
def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    """What SQLite and the seals don't see is in the clear: a room's number, a count, or nothing."""
    desk = settings_of(tmp_path)
    furnish(desk, guests=300)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    directory = tmp_path / "staged"
    directory.mkdir()
    snapshot = vacuumed(desk.database, directory / DATABASE).rename(tmp_path / "snapshot.db")
    shutil.copyfile(snapshot, directory / DATABASE)
    write_manifest(directory)
    good = table_digests(snapshot)
    found: Counter[str] = Counter()
    for _ in range(TRIALS):
        flipped(snapshot, directory / DATABASE, chance)
        found[verdict(directory, desk, good)] += 1
    print(dict(found))
    assert sum(found.values()) == TRIALS
    assert "nobody noticed other rows" not in found
    # By the check alone most of what is written: the rest of the file is empty, or in the clear.
    assert found["DamagedError"] > TRIALS / 4
    shutil.copyfile(snapshot, directory / DATABASE)
    assert verdict(directory, desk, good) == "harmless"

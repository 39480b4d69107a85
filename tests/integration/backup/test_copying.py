"""The VPS's own snapshots on the Mac: all of them, also when the VPS is gone."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.backup import keeping, restic
from app.backup.copying import copies, copy_due
from app.backup.keeping import keep_due
from app.backup.kinds import Kind
from app.backup.restic import GOOD, DamagedError
from app.backup.state import Drill, read_state
from app.settings import Settings
from tests.support.backups import KEY, back_up, by_rclone, files, made
from tests.support.furnished import settings_of

pytestmark = pytest.mark.thorough

DAY = timedelta(days=1)
# All of it is over: restic looks at the clock, too.
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - 40 * DAY
PART = NOW.toordinal() % 7 + 1
FOUND = f"1 snapshots, 1 forgotten; read {PART}/7 of the data"


def kept(found: Settings, address: str) -> Drill | None:
    return read_state(found.backup_directory).kept.get(address)


def test_what_the_vps_has_of_its_own_outlives_it(tmp_path: Path) -> None:
    vps = made(tmp_path)
    reached = by_rclone(vps)
    mac = settings_of(
        tmp_path / "mac",
        node_name="mac",
        backup_repositories="rclone:portiere",
        backup_ssh=reached.ssh,
        backup_key=KEY,
    )
    for kind, host, text in (
        (Kind.CLOUD, "vps", "its store"),
        (Kind.LOGS, "vps", "its logs"),
        (Kind.LOGS, "mac", "not its"),
        (Kind.SQLITE, "vps", "the desk's"),
    ):
        back_up(vps, tmp_path, text, kind=kind, host=host, at=NOW)

    def there() -> list[tuple[Kind, str, datetime, bool]]:
        found = restic.snapshots(copies(mac))
        return [(one.kind, one.host, one.at, GOOD in one.tags) for one in found]

    copy_due(mac, NOW)
    assert sorted(there()) == [
        (Kind.CLOUD, "vps", NOW, False),
        (Kind.LOGS, "vps", NOW, False),
    ]
    # Not again within the night; then what has come, as the drill has tagged it.
    cloud = restic.snapshots(vps, kind=Kind.CLOUD)[0]
    restic.tag(vps, cloud, add=[GOOD])
    copy_due(mac, NOW + timedelta(hours=1))
    assert len(there()) == 2
    copy_due(mac, NOW + DAY)
    assert sorted(there()) == [
        (Kind.CLOUD, "vps", NOW, True),
        (Kind.LOGS, "vps", NOW, False),
    ]
    # By then the first is older than the table says, and another is good.
    again = back_up(vps, tmp_path, "later", kind=Kind.CLOUD, host="vps", at=NOW + 31 * DAY)
    restic.tag(vps, again, add=[GOOD])
    restic.tag(vps, restic.snapshots(vps, kind=Kind.CLOUD)[0], remove=[GOOD])
    copy_due(mac, NOW + 31 * DAY)
    copied = kept(mac, copies(mac).address)
    assert copied is not None
    assert copied.failed is None
    assert sorted(there()) == [
        (Kind.CLOUD, "vps", NOW + 31 * DAY, True),
        (Kind.LOGS, "vps", NOW, False),
    ]

    # The VPS is gone: that is told, and its own is here.
    shutil.rmtree(vps.address)
    copy_due(mac, NOW + 32 * DAY)
    failed = kept(mac, copies(mac).address)
    assert failed is not None
    assert "look at the address" in str(failed.failed)
    newest = restic.snapshots(copies(mac), kind=Kind.CLOUD)[-1]
    restic.restore(copies(mac), newest.id, tmp_path / "restored")
    assert (tmp_path / "restored/a file").read_text() == "later"


def test_the_machine_that_has_the_repository_copies_nothing(tmp_path: Path) -> None:
    repo = made(tmp_path)
    vps = settings_of(tmp_path / "vps", backup_repositories=repo.address, backup_key=KEY)
    copy_due(vps, NOW)
    assert not Path(copies(vps).address).exists()
    # Nor does one keep that isn't told to.
    keep_due(vps, NOW)
    assert kept(vps, repo.address) is None


def test_it_is_kept_once_a_night_and_noted(tmp_path: Path) -> None:
    repo = made(tmp_path)
    vps = settings_of(
        tmp_path / "vps", backup_repositories=repo.address, backup_key=KEY, backup_keeps=True
    )
    for days in (9, 0):
        back_up(repo, tmp_path, at=NOW - days * DAY)
    keep_due(vps, NOW)
    first = kept(vps, repo.address)
    assert first == Drill(at=NOW, made_at=NOW, found=FOUND)
    keep_due(vps, NOW + timedelta(hours=2))
    assert kept(vps, repo.address) == first
    keep_due(vps, NOW + DAY)
    assert kept(vps, repo.address) != first


def test_of_a_repository_that_is_damaged_nothing_is_forgotten(tmp_path: Path) -> None:
    repo = made(tmp_path)
    vps = settings_of(
        tmp_path / "vps", backup_repositories=repo.address, backup_key=KEY, backup_keeps=True
    )
    for days in (9, 0):
        back_up(repo, tmp_path, f"{days} days ago", at=NOW - days * DAY)
    pack = next(path for path in (Path(repo.address) / "data").rglob("*") if path.is_file())
    whole = pack.read_bytes()
    pack.unlink()
    keep_due(vps, NOW)
    found = kept(vps, repo.address)
    assert found is not None
    assert "damaged" in str(found.failed)
    assert len(restic.snapshots(repo)) == 2
    # An hour later it is looked at again.
    pack.write_bytes(whole)
    keep_due(vps, NOW + timedelta(minutes=59))
    assert kept(vps, repo.address) == found
    keep_due(vps, NOW + timedelta(hours=1))
    assert kept(vps, repo.address) == Drill(
        at=NOW + timedelta(hours=1),
        made_at=NOW,
        found=FOUND,
    )


def test_a_file_that_a_full_disk_left_empty_is_in_nobodys_way(tmp_path: Path) -> None:
    repo = made(tmp_path)
    back_up(repo, tmp_path, at=NOW)
    left = [Path(repo.address) / name / ("ab" + "0" * 62) for name in ("index", "snapshots")]
    now = datetime.now(UTC)
    for path in left:
        path.touch()
    with pytest.raises(DamagedError):
        back_up(repo, tmp_path)
    # It might be being written; some minutes later it isn't.
    keeping.remove_unwritten(repo, now)
    assert all(path.exists() for path in left)
    before = files(repo)
    keeping.remove_unwritten(repo, now + timedelta(minutes=11))
    assert files(repo) == {name: content for name, content in before.items() if content}
    back_up(repo, tmp_path)
    restic.check(repo)

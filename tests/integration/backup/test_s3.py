"""A second copy in a bucket: all of it on a real S3 server, and what goes wrong there."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.backup import restic
from app.backup.keeping import keep
from app.backup.restic import MissingError, Repository, WrongKeyError
from tests.support.backups import back_up, repository
from tests.support.s3 import s3_client, s3_server

pytestmark = pytest.mark.thorough

NOW = datetime(2026, 11, 13, 12, tzinfo=UTC)  # a Friday, the fifth day


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server(threaded=True) as found:
        yield found


@pytest.fixture(scope="module")
def repo(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    client = s3_client(endpoint)
    client.create_bucket(Bucket="of-the-desk")
    client.close()
    found = repository(
        tmp_path_factory.mktemp("s3"),
        f"s3:{endpoint}/of-the-desk/backup",
        s3_key_id=SecretStr("an-id"),
        s3_secret=SecretStr("a-secret"),
        s3_region="us-east-1",
    )
    restic.initialise(found)
    return found


def test_backed_up_listed_restored_checked_forgotten(repo: Repository, tmp_path: Path) -> None:
    old = back_up(repo, tmp_path, "old", at=NOW - timedelta(days=8))
    good = restic.tag(repo, old, add=[restic.GOOD])
    back_up(repo, tmp_path, "older than a week", at=NOW - timedelta(days=7, minutes=1))
    new = back_up(repo, tmp_path, "new", at=NOW)
    kept = keep(repo, NOW)
    assert kept.failed is None
    assert kept.found == "2 snapshots, 1 forgotten; read 6/7 of the data"
    assert kept.made_at == NOW
    assert [one.id for one in restic.snapshots(repo)] == [good.id, new.id]
    restic.restore(repo, good.id, tmp_path / "restored")
    assert (tmp_path / "restored/a file").read_text() == "old"


def test_what_goes_wrong_says_what_to_do(repo: Repository, tmp_path: Path) -> None:
    assert not restic.exists(replace(repo, address=f"{repo.address}/elsewhere"))
    no_bucket = replace(repo, address=repo.address.replace("of-the-desk", "of-nobody"))
    with pytest.raises(MissingError):
        back_up(no_bucket, tmp_path)
    with pytest.raises(WrongKeyError):
        restic.snapshots(replace(repo, key=SecretStr("another")))

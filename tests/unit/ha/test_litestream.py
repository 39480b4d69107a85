"""Where the database is replicated to, and what Litestream is told."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.ha.copies import Copies
from app.ha.litestream import LitestreamError, Place, config_for, place_of, write_config
from tests.unit.work.conftest import settings

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIinvented desk@example.invalid"
SFTP: dict[str, Any] = {
    "ha_replica": "sftp://copies@192.0.2.7:2222/srv/copies",
    "ha_replica_key": Path("/etc/portiere/copies"),
    "ha_replica_host_key": HOST_KEY,
}


def place(directory: Path, **given: Any) -> Place:
    return place_of(settings(directory, **given))


def test_a_directory_of_this_machine(tmp_path: Path) -> None:
    found = place(tmp_path, ha_replica="file:///srv/the%20copies/")
    assert found == Place("/srv/the copies")
    assert found.of_term(3) == "/srv/the copies/term-3"


def test_a_directory_of_another_machine(tmp_path: Path) -> None:
    found = place(tmp_path, **SFTP)
    assert (found.path, found.host, found.port, found.user) == (
        "/srv/copies",
        "192.0.2.7",
        2222,
        "copies",
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ha_replica": ""}, "names no directory"),
        ({"ha_replica": "file:///"}, "names no directory"),
        ({"ha_replica": "file://host/srv"}, "file:///path"),
        ({"ha_replica": "s3://bucket/copies"}, "file:///path"),
        ({"ha_replica": "sftp://192.0.2.7/srv"}, "user@host"),
        ({"ha_replica": "sftp://copies:word@192.0.2.7/srv"}, "without a password"),
        ({"ha_replica_key": None}, "PORTIERE_HA_REPLICA_KEY"),
        ({"ha_replica_host_key": ""}, "PORTIERE_HA_REPLICA_HOST_KEY"),
        ({"ha_replica_host_key": "ssh-ed25519"}, "PORTIERE_HA_REPLICA_HOST_KEY"),
    ],
)
def test_what_is_missing_or_not_safe_is_refused(
    tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(LitestreamError, match=says):
        place(tmp_path, **{**SFTP, **given})


def test_both_intervals_are_set_and_the_stop_is_bounded(tmp_path: Path) -> None:
    database, control = tmp_path / "it's: a #file.db", tmp_path / "s.sock"
    told = yaml.safe_load(config_for(place(tmp_path, **SFTP), 7, database, control))
    (one,) = told["dbs"]
    assert (one["path"], one["monitor-interval"]) == (str(database), "100ms")
    assert one["replica"] == {
        "type": "sftp",
        "host": "192.0.2.7:2222",
        "user": "copies",
        "key-path": "/etc/portiere/copies",
        "host-key": HOST_KEY,
        "path": "/srv/copies/term-7",
        "sync-interval": "100ms",
    }
    assert told["socket"] == {"enabled": True, "path": str(control), "permissions": 0o600}
    assert "shutdown-sync-timeout" in told
    assert [one["interval"] for one in told["levels"]] == ["10s", "5m", "1h"]
    assert "socket" not in yaml.safe_load(config_for(Place("/srv"), 7, database))


def test_an_address_of_ipv6_is_set_apart_from_its_port(tmp_path: Path) -> None:
    found = place(tmp_path, **{**SFTP, "ha_replica": "sftp://copies@[2001:db8::7]/srv"})
    (one,) = yaml.safe_load(config_for(found, 1, tmp_path / "p.db"))["dbs"]
    assert one["replica"]["host"] == "[2001:db8::7]:22"


def test_the_configuration_is_read_by_nobody_else(tmp_path: Path) -> None:
    to = tmp_path / "ha" / "replicating.yml"
    for text in ("one", "two"):
        write_config(to, text)
        assert to.read_text() == text
        assert to.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in to.parent.iterdir()] == ["replicating.yml"]


def make(path: Path, txid: str | None) -> None:
    path.write_text("")
    if txid is not None:
        path.with_name(f"{path.name}-txid").write_text(txid)


def test_a_copy_counts_once_it_is_whole(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies")
    assert copies.newest(1) is None
    first = copies.anew(1)
    make(first, "00000000000000ff\n")
    second = copies.anew(1)
    assert second != first
    make(second, None)
    copies.forget_older()
    assert (copies.newest(1), copies.txid(first)) == (first, 255)

    make(second, "0000000000000100")
    copies.forget_older()

    assert copies.newest(1) == second
    assert not first.exists()
    assert copies.newest(2) is None


def test_of_ten_copies_the_tenth_is_the_newest(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    for _ in range(11):
        make(copies.anew(1), "01")
    assert copies.newest(1) == tmp_path / "term-1-11.db"


def test_another_terms_copy_is_kept_until_there_is_one_of_this(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    old = copies.anew(2)
    make(old, "0a")
    new = copies.anew(3)
    copies.forget_older()
    assert old.exists()
    make(new, "01")
    (tmp_path / f"{old.name}-shm").write_text("")
    copies.forget_older()
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, f"{new.name}-txid"]


@pytest.mark.parametrize("text", ["", "xyz"])
def test_a_torn_txid_is_not_known(tmp_path: Path, text: str) -> None:
    copies = Copies(tmp_path)
    copy = copies.anew(1)
    make(copy, text)
    assert copies.txid(copy) is None

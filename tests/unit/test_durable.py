"""What is written durably is whole, and on the disk wherever that is."""

import os
import stat
from pathlib import Path

import pytest

from app import durable
from app.durable import sync, sync_path, write_durably


def test_the_new_text_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "known" / "term.json"
    write_durably(path, "1")
    write_durably(path, "2")
    assert path.read_text() == "2"
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_old_text_stays_where_the_new_can_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "term.json"
    write_durably(path, "1")
    (tmp_path / "term.json.new").mkdir()
    with pytest.raises(IsADirectoryError):
        write_durably(path, "2")
    assert path.read_text() == "1"


def test_a_disk_that_does_not_keep_it_is_an_error(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    sync(descriptor)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync(descriptor)
    with pytest.raises(FileNotFoundError):
        sync_path(tmp_path / "nothing")


def test_a_volume_without_the_macs_own_way_is_synced_as_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a command that no kernel knows: a Mac with a network volume isn't to be had."""
    monkeypatch.setattr(durable, "_FULL", 0x7FFF)
    sync_path(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync(descriptor)

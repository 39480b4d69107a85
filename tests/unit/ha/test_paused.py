"""A pause of changes of leader: it outlives restarts, and what can't be read is a pause."""

from pathlib import Path

from app.ha.paused import pause, paused, resume


def test_it_is_paused_until_it_is_resumed(tmp_path: Path) -> None:
    directory = tmp_path / "ha"
    assert paused(directory) is None
    assert pause(directory, "anna", "the electrician is here")
    found = paused(directory)
    assert found is not None
    assert (found.by, found.reason) == ("anna", "the electrician is here")
    assert found.since.tzinfo is not None
    assert resume(directory)
    assert paused(directory) is None
    assert not resume(directory)


def test_a_second_pause_leaves_the_first(tmp_path: Path) -> None:
    assert pause(tmp_path, "anna", "first")
    assert not pause(tmp_path, "bruno", "second")
    found = paused(tmp_path)
    assert found is not None
    assert found.reason == "first"


def test_a_file_that_can_not_be_read_is_a_pause(tmp_path: Path) -> None:
    (tmp_path / "paused.json").write_bytes(b'{"by": "an')
    assert paused(tmp_path) is not None

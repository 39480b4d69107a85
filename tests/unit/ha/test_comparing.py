"""Two databases of one moment: any byte that differs is found, and a backup's own are none."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ha.comparing import differing_pages
from app.store.database import open_copy
from tests.support.furnished import furnish, settings_of

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

PAGE = 4096
# Page 1: the change counter, the schema's cookie, and which SQLite wrote it.
OWN = {*range(24, 28), *range(40, 44), *range(92, 100)}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    """What a reader is served, as a backup has it, and the file itself."""
    directory = tmp_path_factory.mktemp("pair")
    settings = settings_of(directory / "mac")
    furnish(settings)
    image = directory / "image.db"
    with open_copy(settings.database) as source, sqlite3.connect(image) as target:
        source.backup(target)
    return image, settings.database, image.read_bytes()


def test_a_backup_is_the_same(pair: tuple[Path, Path, bytes]) -> None:
    image, reference, whole = pair
    assert image.read_bytes() != reference.read_bytes()
    assert len(whole) > 20 * PAGE
    assert differing_pages(image, reference) == []


@given(data=st.data(), mask=st.integers(1, 255))
def test_any_byte_flipped_is_found(
    pair: tuple[Path, Path, bytes], data: st.DataObject, mask: int
) -> None:
    image, reference, whole = pair
    place = data.draw(st.integers(0, len(whole) - 1).filter(lambda n: n not in OWN))
    with image.open("r+b") as file:
        file.seek(place)
        file.write(bytes([whole[place] ^ mask]))
    try:
        assert differing_pages(image, reference) == [place // PAGE + 1]
    finally:
        image.write_bytes(whole)


def test_a_page_too_many_or_too_few_is_found(pair: tuple[Path, Path, bytes]) -> None:
    image, reference, whole = pair
    pages = len(whole) // PAGE
    try:
        image.write_bytes(whole + bytes(PAGE))
        assert differing_pages(image, reference) == [pages + 1]
        image.write_bytes(whole[:-PAGE])
        assert differing_pages(image, reference) == [pages]
    finally:
        image.write_bytes(whole)


def test_what_is_no_database_differs(pair: tuple[Path, Path, bytes], tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert differing_pages(pair[0], tmp_path / "empty.db")

"""The phrases are complete in all languages, and a slip in one of them is found at the start."""

import shutil
from pathlib import Path

import pytest

from app.conversation import phrases
from app.conversation.language import Language

BUNDLED = Path(phrases.__file__).with_name("phrases")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED, tmp_path / "phrases"))


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "de.yml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_bundled_phrases_are_complete() -> None:
    assert set(phrases.bundled()) == set(Language)
    for spoken in phrases.bundled().values():
        assert set(spoken.texts) == set(phrases.PLACEHOLDERS)


def test_no_phrase_has_a_number_of_its_own() -> None:
    for spoken in phrases.bundled().values():
        assert not any(c.isdigit() for text in spoken.texts.values() for c in text)


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("thanks:", "thanx:", "de.yml: add thanks"),
        ("thanks:", "thanx:", "de.yml: remove thanx, nothing says it"),
        ("{network}", "{netz}", "de.yml: wifi: must have exactly these placeholders"),
        ("ab {start} Uhr", "ab 15 Uhr", "de.yml: arrival: must have exactly"),
        ("ab {start} Uhr", "ab {start!r} Uhr", "de.yml: arrival: must have exactly"),
        ("ab {start} Uhr", "ab {start:>9} Uhr", "de.yml: arrival: must have exactly"),
        ("ab {start} Uhr", "ab {start Uhr", "de.yml: arrival: expected '}'"),
        ('hello: "Guten Tag!"', 'hello: ""', "de.yml: hello: write a text"),
        ('hello: "Guten Tag!"', "hello: [Guten Tag]", "de.yml: write one text for each phrase"),
        ('hello: "Guten Tag!"', 'hello: "Guten Tag!', "de.yml can't be read"),
    ],
)
def test_a_slip_in_one_file_is_named(folder: Path, old: str, new: str, mistake: str) -> None:
    change(folder, old, new)
    with pytest.raises(phrases.PhrasesError) as error:
        phrases.load(folder)
    assert mistake in str(error.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "fr.yml").unlink()
    with pytest.raises(phrases.PhrasesError, match=r"fr\.yml"):
        phrases.load(folder)

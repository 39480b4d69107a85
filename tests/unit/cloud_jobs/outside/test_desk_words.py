"""What the desk is told is there in each of the host's languages, with the same in it."""

from string import Formatter

import pytest

from cloud_jobs.jobs.desk_words import words


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("kind", list(words()))
def test_each_is_in_five_languages(kind: str) -> None:
    texts = words()[kind]
    assert sorted(texts) == ["de", "en", "es", "fr", "it"]
    assert len(set(texts.values())) == 5
    assert all(fields(text) == fields(texts["en"]) for text in texts.values())

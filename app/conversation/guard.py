"""May a language model's wording be sent? Only if it tells what our own wording told.

What is checked is all that can be told by the letters: the figures, in their order; names; how
often something is denied; the language; the length. Whether a sentence without any of these is
still true can't be: `docs/model.md` says so to the host.
"""

import re
from collections import Counter
from typing import Final

from app.conversation import language as languages
from app.conversation.figures import figures, plain
from app.conversation.language import Language
from app.conversation.model_calls import Outcome
from app.conversation.said import Saying, count
from app.conversation.words import fold

# Three sentences more than ours; WhatsApp itself takes 4096.
_MORE_CHARS: Final = 240
_LONGEST: Final = 3000
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+|\n+")
# Of a sentence long enough to be sure of its language.
_FEWEST_WORDS: Final = 6
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001 - the typographic one
_LONGEST_PRONOUN: Final = 3  # "Lei", "Le", "I": capitals that name nobody


def objection(worded: str, ours: str, language: Language) -> Outcome | None:
    """Why ``worded`` may not be sent in the place of ``ours``; None if it may.

    :param language: the guest's, which ``ours`` is written in.
    """
    if not worded.strip():
        return Outcome.EMPTY
    if len(worded) > min(2 * len(ours) + _MORE_CHARS, _LONGEST):
        return Outcome.TOO_LONG
    if not _is_in(worded, ours, language):
        return Outcome.LANGUAGE
    return _change(worded, ours, language)


def _change(worded: str, ours: str, language: Language) -> Outcome | None:
    """What is told otherwise than we would."""
    if figures(worded, language) != figures(ours, language):
        return Outcome.FIGURES
    if _names(worded, language) - _all_words(ours):
        return Outcome.NAMES
    if count(Saying.DENIAL, plain(worded)) != count(Saying.DENIAL, plain(ours)):
        return Outcome.DENIAL
    return None


def _names(text: str, language: Language) -> set[str]:
    """Words with a capital within a sentence, folded. In German every noun has one: none then."""
    if language is Language.DE:
        return set()
    found: Counter[str] = Counter()
    for sentence in _SENTENCE.split(plain(text)):
        _first, *rest = _WORD.findall(sentence) or [""]
        found.update(
            fold(part)
            for word in rest
            for part in re.split(r"['’-]", word)  # noqa: RUF001 - the typographic one
            if part[:1].isupper() and len(part) > _LONGEST_PRONOUN
        )
    return set(found)


def _all_words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", fold(plain(text))))


def _is_in(text: str, ours: str, language: Language) -> bool:
    """Whether the text is in the language, and no long sentence of it in another.

    What we wrote with a capital doesn't count: a street may have its name in any language.
    """
    names = {word for word in _WORD.findall(ours) if word[0].isupper()}
    sentences = [
        _WORD.sub(lambda found: "" if found[0] in names else found[0], sentence)
        for sentence in _SENTENCE.split(text)
    ]
    if languages.detect("\n".join(sentences), None) is not language:
        return False
    return all(
        languages.detect(sentence, language) is language
        for sentence in sentences
        if len(_WORD.findall(sentence)) >= _FEWEST_WORDS
    )

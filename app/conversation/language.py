"""Which of the desk's five languages a message is written in.

Two witnesses are added up: lingua's letter statistics, good on sentences, and a list of telling
words (`language_words.yml`), good on the two or three words that guests mostly send. Lingua alone
takes "Ciao" for German and "What time is check-in?" as well.
"""

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import lingua
import yaml

from app.conversation import words


class Language(StrEnum):
    """The five languages the desk answers in, by their ISO 639-1 code."""

    IT = "it"
    EN = "en"
    DE = "de"
    FR = "fr"
    ES = "es"


_LINGUA: Final = {
    lingua.Language.ITALIAN: Language.IT,
    lingua.Language.ENGLISH: Language.EN,
    lingua.Language.GERMAN: Language.DE,
    lingua.Language.FRENCH: Language.FR,
    lingua.Language.SPANISH: Language.ES,
}
_SHARED: Final = "shared"

# The numbers below are in nats (natural logarithms of probabilities, as lingua's are taken).
# They were chosen on the corpus in tests/unit/conversation/corpus/dev.yml.
_FLOOR: Final = math.log(0.05)  # lingua says 0.00 for languages that short texts may well be in
_TELLING_WORD: Final = 4.0  # one telling word outweighs lingua's surest "no", the floor
# The guest's known language counts like this for each of the words that are missing to a sentence:
# three telling words and lingua's support speak for a change of language, one "thanks" doesn't.
_SENTENCE_WORDS: Final = 4
_KNOWN_PER_MISSING_WORD: Final = 2.0
_KNOWN: Final = 1.0
# Below e to the 0.7 = 2:1 between first and second it is a toss-up, and silence is more honest.
_MARGIN: Final = 0.7


@cache
def _detector() -> lingua.LanguageDetector:
    """The one detector of this process.

    Low accuracy (trigrams only) is a choice, measured with the five languages preloaded: 15 MB and
    0.1 s to build against 170 MB and 1 s in high accuracy, 10 µs a call against 23, and the whole
    set on the Mac has 400 MB to live in. Of the 392 messages of the corpus, low accuracy alone gets
    351 right and high accuracy alone 355; with the telling words it is 391 and 390.
    """
    builder = lingua.LanguageDetectorBuilder.from_languages(*_LINGUA)
    return builder.with_low_accuracy_mode().with_preloaded_language_models().build()


@cache
def _telling_words() -> Mapping[str, tuple[Language, ...]]:
    """Folded word → the languages it speaks for; no language for words shared by all."""
    source = resources.files(__package__).joinpath("language_words.yml").read_text("utf-8")
    lists: dict[str, str] = yaml.safe_load(source)
    speaks_for: dict[str, tuple[Language, ...]] = {}
    for language in Language:
        for word in dict.fromkeys(words.words(lists[language])):
            speaks_for[word] = (*speaks_for.get(word, ()), language)
    return speaks_for | dict.fromkeys(words.words(lists[_SHARED]), ())


def warm_up() -> None:
    """Build the detector now, so that the first guest doesn't wait for it."""
    detect("Buongiorno, a che ora è la colazione?")


def detect(text: str, known: Language | None = None) -> Language | None:
    """The language of a guest's message.

    :param known: the language this guest is known to speak; wins on short and on doubtful texts.
    :returns: None where nothing tells (emoji, numbers, addresses, "wifi?") and none is known.
    """
    speaks_for = _telling_words()
    letters = [word for word in words.words(text) if word.isalpha()]
    telling = [word for word in letters if speaks_for.get(word, Language)]
    if not telling:
        return known
    scores = _lingua_scores(text)
    for word in telling:
        for language in speaks_for.get(word, ()):
            scores[language] += _TELLING_WORD / len(speaks_for[word])
    if known is not None:
        missing = max(0, _SENTENCE_WORDS - len(telling))
        scores[known] += _KNOWN + _KNOWN_PER_MISSING_WORD * missing
    second, first = sorted(Language, key=scores.__getitem__)[-2:]
    return first if scores[first] - scores[second] >= _MARGIN else known


@cache
def _shared_words() -> re.Pattern[str]:
    """The words that lingua must not see: it takes "wifi" for Spanish and "check-in" for German."""
    shared = sorted(word for word, languages in _telling_words().items() if not languages)
    return re.compile(rf"\b(?:{'|'.join(shared)})\b", re.IGNORECASE)


def _lingua_scores(text: str) -> dict[Language, float]:
    """Log probability by lingua; the same for all where it knows nothing."""
    own_words = _shared_words().sub(" ", words.without_addresses(text))
    values = _detector().compute_language_confidence_values(own_words)
    return {
        _LINGUA[v.language]: max(_FLOOR, math.log(v.value)) if v.value > 0 else _FLOOR
        for v in values
    }

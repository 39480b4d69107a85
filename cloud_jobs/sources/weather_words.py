"""What a weather service warns of, recognised by its words, and said in guests' five languages.

The words are in weather_words.yml, beside this file.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import Final, Literal
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_date
from pydantic import BaseModel, ConfigDict

from cloud_jobs.mail.words import fold

OTHER: Final = "other"
Language = Literal["it", "en", "de", "fr", "es"]
# Longer words are found within others, shorter ones only by themselves.
_LONGEST_PREFIX: Final = 4


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Says(_Section):
    """In each language, or the file isn't whole."""

    it: str
    en: str
    de: str
    fr: str
    es: str

    def by_language(self) -> dict[Language, str]:
        """As the desk wants it."""
        return {"it": self.it, "en": self.en, "de": self.de, "fr": self.fr, "es": self.es}


class _Sign(_Section):
    words: tuple[str, ...]
    says: _Says


class _Span(_Section):
    day: str
    days: str
    one_day: str
    begun: str


class Words(_Section):
    """The file."""

    kinds: dict[str, _Sign]
    levels: dict[int, _Sign]
    spans: dict[Language, _Span]


@lru_cache(maxsize=1)
def words() -> Words:
    """The file, read once."""
    text = resources.files(__package__).joinpath("weather_words.yml").read_text(encoding="utf-8")
    return Words.model_validate(yaml.safe_load(text))


def kind_of(event: str, tags: Iterable[str]) -> str:
    """What is warned of: by the service's own words, else by OpenWeather's; ``other`` if neither
    is known."""
    for text in (event, " ".join(tags)):
        folded = fold(text)
        for name, kind in words().kinds.items():
            if _has(folded, kind.words):
                return name
    return OTHER


def level_of(event: str) -> int:
    """1 to 3; 0 if the service doesn't say."""
    folded = fold(event)
    levels = (level for level, sign in words().levels.items() if _has(folded, sign.words))
    return max(levels, default=0)


def said(
    kind: str, level: int, span: tuple[datetime, datetime], now: datetime, zone: ZoneInfo
) -> dict[Language, str]:
    """A warning in each language, with its time by the clock of ``zone``."""
    start, end = (moment.astimezone(zone) for moment in span)
    what = words().kinds.get(kind, words().kinds[OTHER]).says.by_language()
    sign = words().levels.get(level)
    colours: Mapping[Language, str] = sign.says.by_language() if sign else {}
    found = {}
    for language, how in words().spans.items():
        colour = colours.get(language)
        wording = how.begun if start <= now else how.days
        if start > now and start.date() == end.date():
            wording = how.one_day
        found[language] = wording.format(
            what=f"{what[language]} ({colour})" if colour else what[language],
            from_time=f"{start:%H:%M}",
            from_day=format_date(start, how.day, locale=language),
            until_time=f"{end:%H:%M}",
            until_day=format_date(end, how.day, locale=language),
        )
    return found


def _has(folded: str, wanted: Iterable[str]) -> bool:
    padded = f" {folded} "
    return any(_framed(word) in padded for word in wanted)


def _framed(word: str) -> str:
    """A word as it is looked for: the shorter it is, the less of others it may be a part of."""
    if len(word) > _LONGEST_PREFIX:
        return word
    return f" {word}" if len(word) == _LONGEST_PREFIX else f" {word} "

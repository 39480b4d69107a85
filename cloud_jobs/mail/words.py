"""Lines, cells and words made alike, so that tables can be searched for them."""

import re
import unicodedata

# What stands between two columns of a plain mail.
_COLUMNS = re.compile(r"\t+| {2,}")
# Spaces that don't break, and marks that can't be seen.
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2009"), " ") | dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u034f"), None
)
LONGEST_CELL = 500
MOST_ROWS = 4_000


def tidy(text: str) -> str:
    """Composed, without spaces that are none and marks that can't be seen."""
    return unicodedata.normalize("NFC", text).translate(_SPACES)


def one_line(text: str) -> str:
    return " ".join(tidy(text).split())


def rows(text: str) -> list[list[str]]:
    """The lines that say something, each as its cells: parted by tabs, or by two spaces or more."""
    found = []
    for line in tidy(text).splitlines():
        cells = [cell.strip()[:LONGEST_CELL] for cell in _COLUMNS.split(line.strip())]
        if kept := [cell for cell in cells if cell]:
            found.append(kept[:20])
        if len(found) == MOST_ROWS:
            break
    return found


def fold(text: str) -> str:
    """Small letters without accents and marks, one space between words: ``Huésped:`` → ``huesped``.

    For comparing; nothing of it is shown or kept.
    """
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return " ".join(re.sub(r"\W+", " ", bare).split())

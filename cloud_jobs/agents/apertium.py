"""Apertium, where it and a pair of languages are installed (wiki.apertium.org): rules, no network.

Debian has pairs as packages: ``apertium-spa-ita``, ``apertium-eng-spa`` …
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

PATIENCE: Final = timedelta(seconds=20)
# Apertium's names are of ISO 639-3, those of older pairs of ISO 639-1.
_NAMES: Final = {
    "it": ("ita", "it"),
    "en": ("eng", "en"),
    "de": ("deu", "de"),
    "fr": ("fra", "fr"),
    "es": ("spa", "es"),
}
# It marks a word that it doesn't know with *, and what it can't inflect with # or @.
_MARK: Final = re.compile(r"(?<![^\s\W])[*#@](?=\w)")
_MARKED: Final = re.compile(r"(?<![^\s\W])[*#@](\w[^\s]*)")


class NoTranslationError(Exception):
    """Apertium has no whole translation; the message says why, and nothing of the text."""


def pair_for(source: str, target: str) -> str | None:
    """The installed pair from one language (ISO 639-1) to another, by Apertium's name."""
    installed = _installed()
    names = (f"{one}-{other}" for one in _NAMES.get(source, ()) for other in _NAMES.get(target, ()))
    return next((name for name in names if name in installed), None)


def translate(text: str, source: str, target: str) -> str:
    """The text in the other language. Raises :class:`NoTranslationError`.

    A word that it doesn't know stays as it is; that is no translation, unless it is a name (with a
    capital) or has a digit in it.
    """
    pair = pair_for(source, target)
    if pair is None:
        raise NoTranslationError(f"no pair from {source} to {target} is installed")
    if _MARK.search(text):
        raise NoTranslationError("the text has signs of its own that Apertium marks words with")
    marked = _run([_program() or "", pair], text)
    unknown = [word for word in _MARKED.findall(marked) if not _may_stay(word)]
    if unknown:
        raise NoTranslationError(f"{len(unknown)} of its words are unknown to Apertium")
    return _MARK.sub("", marked).strip()


def _may_stay(word: str) -> bool:
    return word[0].isupper() or any(sign.isdigit() for sign in word)


def _program() -> str | None:
    return shutil.which("apertium")


def _installed() -> frozenset[str]:
    program = _program()
    return frozenset() if program is None else frozenset(_run([program, "-l"], "").split())


def _run(command: Sequence[str], text: str) -> str:
    """What it prints. It is a shell script with a pipeline: all of it ends when the time is up."""
    with subprocess.Popen(  # noqa: S603 - no shell; the pair's name is one that it listed itself
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(text, timeout=PATIENCE.total_seconds())
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise NoTranslationError("Apertium took too long") from None
    if process.returncode != 0:
        raise NoTranslationError(f"Apertium ended with {process.returncode}")
    return printed

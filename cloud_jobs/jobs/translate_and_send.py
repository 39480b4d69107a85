"""A text for one guest, in their language: translated here, or handed to a person by the desk."""

from typing import Any

from pydantic import Field

from cloud_jobs.agents.translation import Translation, is_spoken, translate
from cloud_jobs.runtime.job import FatalError, On, Payload, Queue, RunContext, job
from cloud_jobs.store.known import KnownGuest


class Wanted(Payload):
    """``translation.wanted``: a text and the language that it is in, if it isn't the host's."""

    text: str = Field(min_length=1, max_length=4096)
    language: str | None = Field(None, pattern="^[a-z]{2}$")
    dedupe_key: str | None = Field(None, pattern=r"^[A-Za-z0-9._:-]{1,100}$")


class GuestLanguage(Payload):
    """What a guest reads, by ISO 639-1; None if it isn't known."""

    language: str | None


@job("translate-and-send", On("translation.wanted"), queue=Queue.NOTICES, payload=Wanted)
def translate_and_send(run: RunContext, payload: Wanted) -> dict[str, Any]:
    """Translate, and have the desk send it.

    What isn't translated goes to the desk as it is: it sends only what is in the guest's language,
    and calls a person for the rest (TRANSLATE_AND_SEND in docs/commands.md).
    """
    guest = run.guest
    if guest is None:
        raise FatalError("translation.wanted is about no guest: name one")
    source = payload.language or run.settings.default_language
    known = run.decide("language", lambda: _language(run, guest), GuestLanguage)
    translation = translated(run, payload.text, source, known.language)
    command = {"guest": guest, "text": translation.text or payload.text}
    if payload.dedupe_key is not None:
        command["dedupe_key"] = payload.dedupe_key
    run.command("send", "TRANSLATE_AND_SEND", command)
    return {"by": translation.by, "refused": translation.refused}


def translated(run: RunContext, text: str, source: str, target: str | None) -> Translation:
    """The text in ``target``, once a run, and the model's tokens metered.

    There is nothing to do where it is in it already, and nothing to be done for a language that is
    unknown or not spoken here.
    """
    if target == source:
        return Translation(text=text)
    if target is None or not (is_spoken(target) and is_spoken(source)):
        return Translation(text=None, refused=["language"])
    found = run.step(
        f"translate {target}", lambda: translate(run.settings, text, source, target), Translation
    )
    _meter(run, target, "model.tokens_in", found.tokens_in)
    _meter(run, target, "model.tokens_out", found.tokens_out)
    return found


def _meter(run: RunContext, target: str, item: str, tokens: int) -> None:
    if tokens:
        run.meter(f"{item} {target}", item, tokens)


def _language(run: RunContext, guest: str) -> GuestLanguage:
    with run.store.reading() as session:
        row = session.get(KnownGuest, guest)
        return GuestLanguage(language=row.language if row is not None else None)

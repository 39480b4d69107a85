"""One text for many guests: translated once a language, sent in order, one message a guest."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import select

from cloud_jobs.jobs.translate_and_send import translated
from cloud_jobs.known import stays
from cloud_jobs.runtime.job import On, Payload, Queue, RunContext, job
from cloud_jobs.store.known import KnownGuest

LARGEST: Final = 100  # what the desk takes in one command

GuestIndex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Notification(Payload):
    """``notifications.batch``: the text, its language if it isn't the host's, and who gets it."""

    text: str = Field(min_length=1, max_length=4096)
    language: str | None = Field(None, pattern="^[a-z]{2}$")
    to: Literal["in_house"] | list[GuestIndex]


class Reader(Payload):
    """A guest and the language they read; None if it isn't known."""

    guest: str
    language: str | None


@job("batch-notifications", On("notifications.batch"), queue=Queue.NOTICES, payload=Notification)
def batch_notifications(run: RunContext, payload: Notification) -> dict[str, Any]:
    """Send it to all of them; who can't be told in their language is left to a person."""
    readers = run.decide("readers", lambda: _readers(run, payload.to), list[Reader])
    source = payload.language or run.settings.default_language
    texts = {
        language: translated(run, payload.text, source, language).text
        for language in dict.fromkeys(reader.language for reader in readers)
    }
    told = [
        _message(run, reader.guest, text)
        for reader in readers
        if (text := texts[reader.language]) is not None
    ]
    for number, messages in enumerate(_parts(told)):
        run.command(f"part {number}", "SEND_BATCH_MESSAGES", {"messages": messages})
    for_a_person = [reader for reader in readers if texts[reader.language] is None]
    for reader in for_a_person:
        command = _message(run, reader.guest, payload.text)
        run.command(f"person {reader.guest}", "TRANSLATE_AND_SEND", command)
    return {"told": len(told), "for_a_person": len(for_a_person)}


def _message(run: RunContext, guest: str, text: str) -> dict[str, str]:
    """One message; of one event a guest gets one, also when its run is replayed."""
    if run.event_id is None:
        return {"guest": guest, "text": text}
    digest = sha256(run.event_id.encode()).hexdigest()
    return {"guest": guest, "text": text, "dedupe_key": f"batch:{digest}"}


def _parts(messages: Sequence[dict[str, str]]) -> Iterable[list[dict[str, str]]]:
    return (list(messages[at : at + LARGEST]) for at in range(0, len(messages), LARGEST))


def _readers(run: RunContext, to: Literal["in_house"] | list[str]) -> list[Reader]:
    """Each guest once, in the order in which they were named; by unit if they weren't."""
    with run.store.reading() as session:
        if to == "in_house":
            today = datetime.now(run.settings.zone).date()
            to = [stay.guest for stay in stays.in_house(session, today) if stay.guest is not None]
        guests = list(dict.fromkeys(to))
        known = {
            row.guest: row.language
            for row in session.scalars(select(KnownGuest).where(KnownGuest.guest.in_(guests)))
        }
    return [Reader(guest=guest, language=known[guest]) for guest in guests if guest in known]

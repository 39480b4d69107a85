"""Taking what is told: kept, folded into what is known, and its jobs started, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from cloud_jobs.api.parts import Parts
from cloud_jobs.known.erasing import ERASED_EVENT, erased_at
from cloud_jobs.known.events import FINISHED, apply
from cloud_jobs.runtime.events import Event, take_all


def take_told(parts: Parts, events: Sequence[Event], now: datetime) -> list[str]:
    """Take events, each once; the runs they started, to be dispatched.

    What is about a guest who was erased since is let go: kept, it would bring them back. Survives
    a power cut, for the desk tells nothing twice that it knows to be here.
    """
    with parts.store.writing(durable=True) as session:
        kept = _remembered(session, events)
        taken = take_all(
            session,
            kept,
            seal=parts.seal,
            jobs=parts.jobs,
            zone=parts.settings.zone,
            now=now,
        )
        for event, one in zip(kept, taken, strict=True):
            if one.is_new:
                apply(session, event, seal=parts.seal, now=now)
    return [run_id for one in taken for run_id in one.run_ids]


def _remembered(session: Session, events: Sequence[Event]) -> list[Event]:
    """Without those about guests that had been erased when, or after, they happened."""
    erased = dict(erased_at(session, {event.guest for event in events if event.guest}))
    for event in events:
        if event.name == ERASED_EVENT and event.guest is not None:
            at = erased.get(event.guest, event.occurred_at)
            erased[event.guest] = max(at, event.occurred_at)
    return [told for event in events if (told := _without_erased(event, erased)) is not None]


def _without_erased(event: Event, erased: Mapping[str, datetime]) -> Event | None:
    at = None if event.guest is None else erased.get(event.guest)
    if event.name == ERASED_EVENT or at is None:
        return event
    if event.occurred_at > at:
        return event  # they came back
    # What came of a command is of use without them: it would be offered for ever.
    return replace(event, guest=None) if event.name == FINISHED else None

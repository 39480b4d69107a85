"""Events are taken once, each with the runs of the jobs that wait for it, in one transaction."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.runtime.starting import Start, due, start_all
from cloud_jobs.store.exchange import InboundEvent
from cloud_jobs.store.runs import StartedBy
from cloud_jobs.store.upserts import add_new


@dataclass(frozen=True)
class Event:
    """Something that happened; the columns of :class:`InboundEvent`, its payload open."""

    event_id: str
    name: str
    source: str
    occurred_at: datetime
    payload: dict[str, Any]
    guest: str | None = None


@dataclass(frozen=True)
class Taken:
    """What came of an event: nothing, if it was there before. ``run_ids`` are to be dispatched."""

    is_new: bool
    run_ids: Sequence[str]


def take(  # noqa: PLR0913 - what starting a run needs
    session: Session, event: Event, *, seal: Seal, jobs: Jobs, zone: ZoneInfo, now: datetime
) -> Taken:
    """Keep an event and start what waits for it, unless it is kept already."""
    return take_all(session, [event], seal=seal, jobs=jobs, zone=zone, now=now)[0]


def take_all(  # noqa: PLR0913 - the same
    session: Session,
    events: Iterable[Event],
    *,
    seal: Seal,
    jobs: Jobs,
    zone: ZoneInfo,
    now: datetime,
) -> list[Taken]:
    """The same for many, in their order; one that comes twice among them counts once."""
    given = list(events)
    if not given:
        return []
    # The first of those that are one; written down in their order, for that is what `seq` says.
    rows = {event.event_id: _row(event, seal, now) for event in reversed(given)}
    in_order = list(rows.values())[::-1]
    added = add_new(session, InboundEvent, in_order, InboundEvent.event_id.key)
    taken = []
    for event in given:
        is_new = event.event_id in added
        added.discard(event.event_id)
        taken.append((event, is_new))
    started = start_all(
        session,
        [start for event, is_new in taken if is_new for start in _starts(event, jobs)],
        seal=seal,
        zone=zone,
        now=now,
    )
    following = iter(started)
    return [
        Taken(is_new, due(next(following) for _ in _starts(event, jobs)) if is_new else [])
        for event, is_new in taken
    ]


def _row(event: Event, seal: Seal, now: datetime) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "name": event.name,
        "source": event.source,
        "guest": event.guest,
        "occurred_at": event.occurred_at,
        "received_at": now,
        "payload": seal.seal(json.dumps(event.payload), f"inbound_events.payload:{event.event_id}"),
    }


def _starts(event: Event, jobs: Jobs) -> list[Start]:
    return [
        Start(
            job,
            event.payload,
            StartedBy.EVENT,
            event_id=event.event_id,
            guest=event.guest,
            as_it_is=True,
        )
        for job in jobs.on(event.name)
    ]

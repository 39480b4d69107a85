"""Around departure: what is left to pay, and a review.

The evening before departure the desk itself says how to leave: not this job.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.known import stays
from cloud_jobs.runtime.job import Cron, Nothing, Payload, Queue, RunContext, job
from cloud_jobs.store.known import KnownGuest, KnownStay

_DAY: Final = timedelta(days=1)
# So long this may not have run, and nobody who left is forgotten.
_LOOKS_BACK: Final = 3
_LONGER_THAN_THAT: Final = timedelta(days=30)


class Notice(Payload):
    """A template for the guest of a stay; ``key`` names it among all notices."""

    guest: str
    channel: str
    code: str
    template: str
    key: str
    variables: dict[str, str] = Field(default_factory=dict)


@job("after-stay", Cron("0 11 * * *"), queue=Queue.NOTICES, payload=Nothing)
def after_stay(run: RunContext, _: Nothing) -> dict[str, Any]:
    """Remind who leaves tomorrow, and who has left; ask the latter for a review.

    The desk refuses a reminder where nothing is left to pay: it alone knows.
    """
    notices = run.decide("notices", lambda: _notices(run), list[Notice])
    for notice in notices:
        run.start(notice.key, stay_notice.name, notice.model_dump())
    return {"notices": len(notices)}


@job(
    "stay-notice",
    queue=Queue.NOTICES,
    payload=Notice,
    once=(lambda notice: notice.key, _LONGER_THAN_THAT),
)
def stay_notice(run: RunContext, notice: Notice) -> None:
    """Have the desk send one, once."""
    run.command(
        "send",
        "SEND_MESSAGE",
        {
            "guest": notice.guest,
            "booking": {"channel": notice.channel, "code": notice.code},
            "template": {"name": notice.template, "variables": notice.variables},
            "dedupe_key": notice.key,
        },
    )


def _notices(run: RunContext) -> list[Notice]:
    today = datetime.now(run.settings.zone).date()
    with run.store.reading() as session:
        left = [
            stay
            for days in range(1, _LOOKS_BACK + 1)
            for stay in stays.left(session, today - days * _DAY)
        ]
        return [
            *_reminders(stays.leaving(session, today + _DAY), "before"),
            *_reminders(left, "after"),
            *_reviews(session, left, run.settings.review_link),
        ]


def _reminders(found: Iterable[KnownStay], when: str) -> list[Notice]:
    return [
        Notice(
            guest=stay.guest,
            channel=stay.channel,
            code=stay.code,
            template="payment_reminder",
            key=f"payment:{stay.booking_id}:{when}",
        )
        for stay in found
        if stay.guest is not None
    ]


def _reviews(session: Session, left: Sequence[KnownStay], link: str) -> list[Notice]:
    """Marketing, so for those alone who agreed to it."""
    if not link:
        return []
    agreed = set(
        session.scalars(
            select(KnownGuest.guest).where(
                KnownGuest.guest.in_({stay.guest for stay in left}), KnownGuest.consent == "given"
            )
        )
    )
    return [
        Notice(
            guest=stay.guest,
            channel=stay.channel,
            code=stay.code,
            template="review_request",
            variables={"link": link},
            key=f"review:{stay.booking_id}",
        )
        for stay in left
        if stay.guest in agreed and stay.guest is not None
    ]

"""What WhatsApp messages cost: each template that reached a phone, by its purpose and country.

Read from what the desk told rather than counted at each event: so what came late, twice or while
the cloud was away is counted once all the same.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import String, cast, exists, literal, select
from sqlalchemy.orm import Session

from cloud_jobs.costs.metering import meter
from cloud_jobs.costs.prices import OTHER, UnknownItemError
from cloud_jobs.runtime.job import Every, FatalError, Nothing, Queue, RunContext, job
from cloud_jobs.store.known import KnownMessage
from cloud_jobs.store.money import Metered

# Of a delivery we may hear by the message being read.
_REACHED: Final = ("delivered", "read")
_SERVICE: Final = "service"
_KEY: Final = "message:"
_AT_ONCE: Final = 500
# Longer than the desk goes on trying to tell.
_LOOKS_BACK: Final = timedelta(days=60)


@job("message-costs", Every(timedelta(minutes=15)), queue=Queue.UPKEEP, payload=Nothing)
def message_costs(run: RunContext, _: Nothing) -> dict[str, int]:
    """Meter the templates that arrived and are not counted yet."""
    counted = 0
    while True:
        with run.store.writing() as session:
            found = _count(run, session)
        counted += found
        if found < _AT_ONCE:
            return {"messages": counted}


def _count(run: RunContext, session: Session) -> int:
    key = literal(_KEY).concat(cast(KnownMessage.outbox_id, String))
    rows = session.scalars(
        select(KnownMessage)
        .where(
            KnownMessage.sent_as == "template",
            KnownMessage.state.in_(_REACHED),
            KnownMessage.told_at > datetime.now(UTC) - _LOOKS_BACK,
            ~exists().where(Metered.key == key),
        )
        .order_by(KnownMessage.outbox_id)
        .limit(_AT_ONCE)
    ).all()
    for row in rows:
        try:
            meter(
                session,
                run.settings,
                key=f"{_KEY}{row.outbox_id}",
                item=f"whatsapp.{row.purpose or _SERVICE}.{row.country or OTHER}",
                quantity=1,
                at=row.told_at,
                run_id=run.run_id,
                job=run.job,
            )
        except UnknownItemError as error:
            raise FatalError(str(error)) from None
    return len(rows)

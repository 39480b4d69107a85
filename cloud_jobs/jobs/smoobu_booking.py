"""One booking as Smoobu tells it, by its webhook or by the poll: what is new of it is told on."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from cloud_jobs.known.reservation import TOLD
from cloud_jobs.runtime.job import Payload, Queue, RunContext, job
from cloud_jobs.sources import smoobu_telling
from cloud_jobs.sources.smoobu_telling import Came, News


class _Found(Payload):
    news: News | None


@job(
    "smoobu-booking",
    queue=Queue.INTAKE,
    payload=Came,
    # The webhook and the poll tell of the same change at once: who comes second finds it told.
    concurrency_key=lambda came: str(came.booking.id),
)
def smoobu_booking(run: RunContext, came: Came) -> dict[str, Any]:
    """Tell of what is new."""
    now = run.step("now", lambda: datetime.now(UTC), datetime)

    def look() -> _Found:
        with run.store.reading() as session:
            return _Found(news=smoobu_telling.news(session, run.settings, came, now))

    def keep(session: Session, found: _Found) -> None:
        if found.news is not None:
            smoobu_telling.remember(session, came.booking.id, found.news, now)

    found = run.step("look", look, _Found, also=keep)
    if found.news is None:
        return {"told": False}
    run.emit("told", TOLD, found.news.told.model_dump(mode="json"))
    return {"told": True, "change": found.news.told.change}

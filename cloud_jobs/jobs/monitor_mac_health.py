"""Whether the desk is there: it asks for commands and tells events, and it answers when asked.

It is heard of when it signs a request to us, or says that it is ready. The look is taken each
minute, so that it is down is told two to three minutes after its last sign.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_jobs.alerts.channels import DESK_DOWN
from cloud_jobs.alerts.health import Health, Watch, judge
from cloud_jobs.alerts.raising import raise_alert, resolve
from cloud_jobs.runtime.job import Every, Nothing, Queue, RunContext, job
from cloud_jobs.store.alerts import Watched
from cloud_jobs.store.exchange import Nonce

TIMEOUT: Final = timedelta(seconds=5)
# A desk that is set up later than its cloud isn't missed at once.
NEVER_SEEN_AFTER: Final = timedelta(hours=1)
DOWN_KEY: Final = "desk:down"
NEVER_KEY: Final = "desk:never_seen"


class Look(BaseModel):
    """What a look came to; ``signed``: when the desk last signed something, by its own clock."""

    at: datetime
    is_ready: bool
    signed: datetime | None


@job(
    "monitor-mac-health",
    Every(timedelta(minutes=1)),
    queue=Queue.UPKEEP,
    payload=Nothing,
    attempts=1,  # the next look is a minute later
    time_limit=timedelta(seconds=30),
)
def monitor_mac_health(run: RunContext, _: Nothing) -> dict[str, str]:
    """Look for a sign of life; raise or resolve the alert."""
    found: list[Health] = []

    def judged(session: Session, look: Look) -> None:
        found.append(_judge(run, session, look))

    run.step("look", lambda: _look(run), Look, also=judged)
    return {"health": found[0]} if found else {}


def _look(run: RunContext) -> Look:
    with run.store.reading() as session:
        signed = session.scalar(
            select(func.max(Nonce.expires_at)).where(Nonce.client == run.settings.node)
        )
    return Look(at=datetime.now(UTC), is_ready=_is_ready(run), signed=signed)


def _is_ready(run: RunContext) -> bool:
    if run.settings.desk_url is None:
        return False
    url = f"{str(run.settings.desk_url).rstrip('/')}/ready"
    try:
        return httpx.get(url, timeout=TIMEOUT.total_seconds()).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _judge(run: RunContext, session: Session, look: Look) -> Health:
    name = run.settings.node
    row = session.get(Watched, name, with_for_update=True)
    if row is None:
        row = Watched(name=name, health=Health.UNKNOWN, since=look.at, missed=0, signs=0)
        session.add(row)
    has_signed = look.signed is not None and look.signed != row.last_signed
    watch = Watch(Health(row.health), row.since, row.heard_at, row.missed, row.signs)
    after = judge(watch, heard=look.is_ready or has_signed, now=look.at)
    row.health, row.since, row.heard_at = after.health, after.since, after.heard_at
    row.missed, row.signs = after.missed, after.signs
    row.last_signed = look.signed or row.last_signed
    _tell(run, session, after, look.at)
    return after.health


def _tell(run: RunContext, session: Session, watch: Watch, now: datetime) -> None:
    match watch.health:
        case Health.UP:
            resolve(session, key=DOWN_KEY, now=now)
            resolve(session, key=NEVER_KEY, now=now)
        case Health.DOWN:
            _raise(run, session, DOWN_KEY, _down_text(run, watch), now)
        case Health.UNKNOWN if now - watch.since >= NEVER_SEEN_AFTER:
            text = (
                f"The desk ({run.settings.node}) was never heard of. If it is set up, look at its "
                "PORTIERE_CLOUD_URL, and here at PORTIERE_NODE and PORTIERE_DESK_URL."
            )
            _raise(run, session, NEVER_KEY, text, now)


def _raise(run: RunContext, session: Session, key: str, text: str, now: datetime) -> None:
    raise_alert(
        session,
        run.seal,
        run.settings,
        key=key,
        kind=DESK_DOWN if key == DOWN_KEY else "desk_never_seen",
        text=text,
        urgent=key == DOWN_KEY,
        now=now,
    )


def _down_text(run: RunContext, watch: Watch) -> str:
    heard = watch.heard_at or watch.since
    return (
        f"The desk ({run.settings.node}) has not been heard of since "
        f"{heard.astimezone(run.settings.zone):%H:%M} ({heard:%d %b}). Look at its power and its "
        "network; guests are answered again once it is back, or by the standby."
    )

"""Raising alerts and saying that they are over: rows, delivered by `cloud_jobs.alerts.delivering`.

Of one key there is one open alert, however often it is found. Many at once are not sent one by one:
beyond :data:`FLOOD` an hour those that aren't urgent are kept and counted, and told of in one.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.alerts.channels import channels_of
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.alerts import Alert, AlertDelivery, Told, What
from cloud_jobs.store.upserts import insert_into

FLOOD: Final = 20
FLOOD_TIME: Final = timedelta(hours=1)
FLOOD_KEY: Final = "flood"
_FLOOD_TEXT: Final = (
    f"More than {FLOOD} alerts within an hour. Further ones are kept and counted instead of sent, "
    "until there are fewer again; urgent ones are sent all the same."
)


def raise_alert(  # noqa: PLR0913 - an alert has so many parts
    session: Session,
    seal: Seal,
    settings: CloudSettings,
    *,
    key: str,
    kind: str,
    text: str,
    urgent: bool = False,
    now: datetime,
) -> bool:
    """Say that something is wrong, in the caller's transaction; False if it was said already.

    An alert that is open counts once more and gets the newest ``text``, which is kept sealed. One
    that is over is raised anew.
    """
    found = insert_into(session, Alert).values(
        key=key,
        kind=kind,
        text=seal.seal(text, context(key)),
        urgent=urgent,
        raised_at=now,
        last_at=now,
        times=1,
    )
    counted = found.on_conflict_do_update(
        index_elements=[Alert.key],
        index_where=Alert.resolved_at.is_(None),
        set_={"times": Alert.times + 1, "last_at": now, "text": found.excluded.text},
    )
    seq, times = session.execute(counted.returning(Alert.seq, Alert.times)).one()
    if times > 1:
        return False
    is_flood = key != FLOOD_KEY and not urgent and recent(session, now) > FLOOD
    state = Told.WITHHELD if is_flood else Told.PENDING
    for channel in channels_of(settings, kind, urgent=urgent):
        session.add(
            AlertDelivery(alert=seq, what=What.RAISED, channel=channel, state=state, next_at=now)
        )
    if is_flood:
        raise_alert(
            session, seal, settings, key=FLOOD_KEY, kind="alert_flood", text=_FLOOD_TEXT, now=now
        )
    return True


def resolve(session: Session, *, key: str, now: datetime) -> bool:
    """Say that it is over, in the caller's transaction; False if no alert of the key is open.

    Those are told who are told of the alert; of one that is withheld, nobody.
    """
    seq = session.scalar(
        update(Alert)
        .where(Alert.key == key, Alert.resolved_at.is_(None))
        .values(resolved_at=now)
        .returning(Alert.seq)
    )
    if seq is None:
        return False
    told = select(AlertDelivery.channel).where(
        AlertDelivery.alert == seq, AlertDelivery.state.in_((Told.PENDING, Told.SENT))
    )
    for channel in session.scalars(told).all():
        session.add(
            AlertDelivery(
                alert=seq, what=What.RESOLVED, channel=channel, state=Told.PENDING, next_at=now
            )
        )
    return True


def tell(  # noqa: PLR0913 - an alert has so many parts
    session: Session,
    seal: Seal,
    settings: CloudSettings,
    *,
    key: str,
    kind: str,
    text: str,
    now: datetime,
) -> None:
    """Tell of something that is no state and so is never over: a report. In the caller's step."""
    raise_alert(session, seal, settings, key=key, kind=kind, text=text, now=now)
    session.execute(
        update(Alert).where(Alert.key == key, Alert.resolved_at.is_(None)).values(resolved_at=now)
    )


def recent(session: Session, now: datetime) -> int:
    """How many that aren't urgent were raised within :data:`FLOOD_TIME`, without the flood's."""
    return session.scalars(
        select(func.count())
        .select_from(Alert)
        .where(Alert.raised_at > now - FLOOD_TIME, Alert.urgent.is_(False), Alert.key != FLOOD_KEY)
    ).one()


def context(key: str) -> str:
    """Of the sealed text."""
    return f"alerts.text:{key}"

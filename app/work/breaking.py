"""The breakers of this node: kept for others to see, told to the desk, and what follows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from app.conversation import alerting
from app.conversation.alerting import Alert
from app.conversation.language import Language
from app.messages import breakers
from app.messages.alerts import Alerts
from app.messages.breakers import KeptBreaker
from app.messages.pausing import Queue, make_due
from app.providers.breaker import Breaker, BreakerState, Snapshot, Tolerance
from app.settings import Settings
from app.store.database import Connection, Database, DatabaseError, to_ms

log = structlog.get_logger()
# The breaker around the cloud; the one around the provider has the provider's name.
CLOUD: Final = "cloud"


def make_breaker(
    settings: Settings, name: str, database: Database, alerts: Alerts, language: Language
) -> Breaker:
    """The breaker around ``name``, as an earlier process left it."""
    tolerance = Tolerance(
        window=settings.breaker_window,
        fewest_calls=settings.breaker_fewest_calls,
        rest=settings.breaker_rest,
        # As long as a claim: then nobody waits for that answer any more.
        probe_time=settings.send_timeout * 1.5,
    )
    return Breaker(
        tolerance,
        _keeper(name, database, alerts, language),
        begin=_left(breakers.find(database.connection, name)),
    )


def _left(kept: KeptBreaker | None) -> Snapshot | None:
    if kept is None or kept.state == BreakerState.CLOSED:
        return None
    # A probe of the last process is gone with it: rest again, which may be over already.
    age = max(datetime.now(UTC) - kept.since, timedelta(0))
    return Snapshot(BreakerState.OPEN, age, kept.reason)


def _keeper(
    name: str, database: Database, alerts: Alerts, language: Language
) -> Callable[[Breaker], None]:
    def keep(breaker: Breaker) -> None:
        try:
            with database.transaction(durable=False) as connection:
                before = breakers.find(connection, name)
                now = _as_kept(name, breaker.snapshot())
                breakers.keep(connection, now)
                _follow(connection, before, now)
                _tell(connection, alerts, language, before, now)
        except DatabaseError as error:
            # It works all the same; only the others see it later.
            log.error("breaker_not_kept", breaker=name, reason=str(error))
            return
        log.warning("breaker_changed", breaker=name, state=now.state, reason=now.reason)

    return keep


def _as_kept(name: str, now: Snapshot) -> KeptBreaker:
    return KeptBreaker(name, now.state, datetime.now(UTC) - now.age, now.reason)


def _follow(connection: Connection, before: KeptBreaker | None, now: KeptBreaker) -> None:
    """What waited for it is due at once."""
    if now.state == BreakerState.CLOSED and before is not None:
        make_due(connection, Queue.EVENTS if now.name == CLOUD else Queue.SENDS)


def _tell(
    connection: Connection,
    alerts: Alerts,
    language: Language,
    before: KeptBreaker | None,
    now: KeptBreaker,
) -> None:
    """One alert as it opens, one as it closes; none for each probe between."""
    was_closed = before is None or before.state == BreakerState.CLOSED
    is_closed = now.state == BreakerState.CLOSED
    if was_closed == is_closed:
        return
    alert = Alert.BREAKER_CLOSED if is_closed else Alert.BREAKER_OPEN
    alerts.raise_alert(
        connection,
        key=f"{alert}:{now.name}:{to_ms(now.since)}",
        kind=alert,
        guest=None,
        text=alerting.text(alert, language, who=now.name),
    )

"""Delivering alerts: by Slack, by mail, and by the desk to its own phones."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.channels.mail import send_mail
from app.channels.slack import send_to_slack
from app.channels.undelivered import UndeliveredError
from app.sealing import Seal
from cloud_jobs.alerts.channels import DESK_DOWN, Channel, channels_of
from cloud_jobs.alerts.raising import FLOOD, FLOOD_KEY, context, recent, resolve
from cloud_jobs.alerts.waiting import Delivery, claim, failed, is_due, postpone, sent
from cloud_jobs.exchange.commands import issue
from cloud_jobs.settings import CloudSettings
from cloud_jobs.store.alerts import Alert, AlertDelivery, Told, What
from cloud_jobs.store.database import Store, StoreUnavailable

log = structlog.get_logger()
INTERVAL: Final = timedelta(seconds=1)
ALERT_DESK: Final = "ALERT_DESK"
# A template of WhatsApp has 1024 characters in all.
_LONGEST: Final = 700


class Alerting:
    """The thread that delivers what is due, every :data:`INTERVAL`."""

    def __init__(self, settings: CloudSettings, store: Store, seal: Seal) -> None:
        self._settings = settings
        self._store = store
        self._seal = seal
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)

    def start(self) -> None:
        """Start the thread; says so if nobody would hear that the desk is down."""
        if not channels_of(self._settings, DESK_DOWN, urgent=True):
            log.error("alerts_reach_nobody", remedy="set PORTIERE_ALERT_…: docs/alerts.md")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a delivery under way is finished first."""
        self._stopping.set()
        self._thread.join()

    def deliver_due(self) -> int:
        """Deliver all that is due; how many were taken up."""
        self._end_flood()
        taken = 0
        while not self._stopping.is_set() and (delivery := self._claim()):
            taken += 1
            self._deliver(delivery)
        return taken

    def _claim(self) -> Delivery | None:
        now = datetime.now(UTC)
        with self._store.reading() as session:
            if not is_due(session, now):
                return None
        with self._store.writing() as session:
            return claim(session, self._seal, now)

    def _deliver(self, delivery: Delivery) -> None:
        found = {"alert": delivery.alert, "channel": delivery.channel, "what": delivery.what}
        try:
            self._send(delivery)
        except UndeliveredError as error:
            self._put_off(delivery, error)
            return
        with self._store.writing() as session:
            if delivery.channel is Channel.WHATSAPP:
                self._have_desk_tell(session, delivery)
            sent(session, delivery)
        log.info("alert_delivered", kind=delivery.kind, **found)

    def _send(self, delivery: Delivery) -> None:
        match delivery.channel:
            case Channel.SLACK:
                send_to_slack(self._settings.alert_slack_url.get_secret_value(), delivery.text)
            case Channel.EMAIL:
                over = "over: " if delivery.what == What.RESOLVED else ""
                send_mail(
                    self._settings,
                    over + delivery.kind.replace("_", " "),
                    delivery.text,
                    urgent=delivery.urgent and not over,
                )
            case Channel.WHATSAPP:
                pass  # issued with the note that it is delivered: both or neither

    def _have_desk_tell(self, session: Session, delivery: Delivery) -> None:
        key = f"cloud-alert-{delivery.alert}-{delivery.what}"
        issue(
            session,
            self._seal,
            command_id=key,
            name=ALERT_DESK,
            payload={
                "key": key,
                "kind": delivery.kind,
                "text": delivery.text[:_LONGEST],
                "urgent": delivery.urgent and delivery.what == What.RAISED,
                "channels": [Channel.WHATSAPP.value],
            },
            run_id=None,
            now=datetime.now(UTC),
        )

    def _put_off(self, delivery: Delivery, error: UndeliveredError) -> None:
        found = {"alert": delivery.alert, "channel": delivery.channel, "reason": str(error)}
        with self._store.writing() as session:
            if error.lasting:
                failed(session, delivery, str(error))
                log.error("alert_failed", **found)
            elif postpone(session, delivery, str(error), error.after, datetime.now(UTC)):
                log.warning("alert_postponed", **found)
            else:
                log.error("alert_given_up", **found)

    def _end_flood(self) -> None:
        """Say what was kept back, once there are few alerts again."""
        now = datetime.now(UTC)
        with self._store.reading() as session:
            if _flood(session) is None or recent(session, now) > FLOOD:
                return
        with self._store.writing() as session:
            flood = _flood(session)
            if flood is None:
                return  # another process was first
            flood.text = self._seal.seal(_kept_back(session, flood), context(FLOOD_KEY))
            session.flush()
            resolve(session, key=FLOOD_KEY, now=now)

    def _run(self) -> None:
        while True:
            try:
                self.deliver_due()
            except StoreUnavailable as error:
                log.error("alerting_failed", reason=type(error).__name__)
            if self._stopping.wait(INTERVAL.total_seconds()):
                return


def _flood(session: Session) -> Alert | None:
    return session.scalar(
        select(Alert).where(Alert.key == FLOOD_KEY, Alert.resolved_at.is_(None)).with_for_update()
    )


def _kept_back(session: Session, flood: Alert) -> str:
    kinds = session.execute(
        select(Alert.seq, Alert.kind)
        .join(AlertDelivery, AlertDelivery.alert == Alert.seq)
        .where(AlertDelivery.state == Told.WITHHELD, Alert.raised_at >= flood.raised_at)
        .distinct()
    )
    counted = Counter(kind.replace("_", " ") for _, kind in kinds)
    tally = ", ".join(f"{number} {kind}" for kind, number in counted.most_common())
    return f"{counted.total()} alerts were kept instead of sent: {tally}"

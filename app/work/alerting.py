"""Delivering alerts to the desk: by Slack, by mail, and by WhatsApp to its own phones."""

import threading
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog

from app.channels.mail import send_mail
from app.channels.slack import send_to_slack
from app.channels.undelivered import UndeliveredError
from app.messages.alerts import Channel, Delivery, configured
from app.messages.catalogue import DESK_ALERT
from app.messages.outbox import Draft
from app.messages.outgoing import Kind
from app.settings import Settings
from app.store.database import Connection, DatabaseError
from app.work.desk import Desk

log = structlog.get_logger()
INTERVAL: Final = timedelta(seconds=1)


class Alerting:
    """The thread that delivers what is due, every :data:`INTERVAL`."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)

    def start(self) -> None:
        """Start the thread; says so if alerts would reach nobody."""
        if not configured(self._settings):
            log.error("alerts_reach_nobody", remedy="set PORTIERE_ALERT_…: docs/alerts.md")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a delivery under way is finished first."""
        self._stopping.set()
        self._thread.join()

    def deliver_due(self) -> int:
        """Deliver all that is due; how many were taken up."""
        taken = 0
        while not self._stopping.is_set() and (delivery := self._desk.alerts.claim()):
            taken += 1
            self._deliver(delivery)
        return taken

    def _deliver(self, delivery: Delivery) -> None:
        found = {"alert_id": delivery.alert_id, "channel": delivery.channel}
        try:
            self._send(delivery)
        except UndeliveredError as error:
            reason = str(error)
            if error.lasting:
                self._desk.alerts.failed(delivery.delivery_id, reason)
                log.error("alert_failed", reason=reason, **found)
            elif self._desk.alerts.postpone(delivery, reason, error.after):
                log.warning("alert_postponed", reason=reason, **found)
            else:
                log.error("alert_given_up", reason=reason, **found)
            return
        with self._desk.database.transaction(durable=False) as connection:
            is_there = self._desk.alerts.delivered(connection, delivery.delivery_id)
            if is_there and delivery.channel is Channel.WHATSAPP:
                self._write_to_phones(connection, delivery)
        log.info("alert_delivered", kind=delivery.kind, **found)

    def _send(self, delivery: Delivery) -> None:
        match delivery.channel:
            case Channel.SLACK:
                send_to_slack(self._settings.alert_slack_url.get_secret_value(), delivery.text)
            case Channel.EMAIL:
                send_mail(
                    self._settings,
                    delivery.kind.replace("_", " "),
                    delivery.text,
                    urgent=delivery.urgent,
                )
            case Channel.WHATSAPP:
                pass  # written to the outbox with the note that it is delivered: both or neither

    def _write_to_phones(self, connection: Connection, delivery: Delivery) -> None:
        desk, language = self._desk, self._desk.facts.default_language
        message = desk.catalogue.render(DESK_ALERT, language, {"text": delivery.text})
        for number, phone in enumerate(self._settings.alert_whatsapp):
            # Not by the alert's number: another leader may have given it to another alert.
            key = f"alert-{uuid4().hex}-{number}"
            draft = Draft(key, phone, Kind.DESK, message, language)
            desk.outbox.add(connection, draft)

    def _run(self) -> None:
        while True:
            try:
                # Whoever leads instead delivers them.
                if self._desk.leadership.term() is not None:
                    self.deliver_due()
            except DatabaseError as error:
                log.error("alerting_failed", reason=str(error))
            if self._stopping.wait(INTERVAL.total_seconds()):
                return

"""Delivering alerts to the desk: by Slack, by mail, and by WhatsApp to its own phones."""

import smtplib
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.utils import make_msgid

import httpx
import structlog

from app.messages.alerts import Channel, Delivery, configured
from app.messages.catalogue import DESK_ALERT
from app.messages.outbox import Draft
from app.messages.outgoing import Kind
from app.providers.retry_after import retry_after
from app.settings import MailSecurity, Settings
from app.store.database import Connection, DatabaseError
from app.work.desk import Desk

log = structlog.get_logger()
INTERVAL = timedelta(seconds=1)
TIMEOUT = timedelta(seconds=15)
# Slack takes about one message a second, and says so by 429.
MENDABLE = frozenset({408, 425, 429})


class UndeliveredError(Exception):
    """It did not reach the channel; ``after``: when to try again, ``lasting``: never."""

    def __init__(
        self, reason: str, *, after: timedelta | None = None, lasting: bool = False
    ) -> None:
        super().__init__(reason)
        self.after = after
        self.lasting = lasting


Sender = Callable[[Delivery], None]


def send_to_slack(url: str, delivery: Delivery) -> None:
    """Post to an incoming webhook, which answers 200 and ``ok``.

    Raises :class:`UndeliveredError`; never with the URL in it, which is a secret.
    """
    try:
        response = httpx.post(url, json={"text": delivery.text}, timeout=TIMEOUT.total_seconds())
    except httpx.HTTPError as error:
        raise UndeliveredError(f"Slack can't be reached ({type(error).__name__})") from None
    status = response.status_code
    if response.is_success:
        return
    if response.is_client_error and status not in MENDABLE:
        raise UndeliveredError(f"Slack refuses it: {status} {response.text[:60]}", lasting=True)
    raise UndeliveredError(f"Slack answered {status}", after=retry_after(response.headers))


def send_mail(settings: Settings, delivery: Delivery) -> None:
    """Hand a mail to the server. Raises :class:`UndeliveredError`."""
    message = EmailMessage()
    message["From"] = settings.alert_email_from
    message["To"] = ", ".join(settings.alert_email_to)
    message["Subject"] = f"Portiere: {delivery.kind.replace('_', ' ')}"
    message["Message-ID"] = make_msgid("portiere", domain="portiere.invalid")
    if delivery.urgent:
        message["X-Priority"] = "1"
    message.set_content(delivery.text)
    try:
        with _mail_server(settings) as server:
            if settings.mail_user:
                server.login(settings.mail_user, settings.mail_password.get_secret_value())
            server.send_message(message)
    except smtplib.SMTPResponseException as error:
        # 5xx may be a full mailbox or a wrong password: mended by a person, so worth trying again.
        raise UndeliveredError(f"the mail server answered {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise UndeliveredError(f"the mail was not taken ({type(error).__name__})") from None


def _mail_server(settings: Settings) -> smtplib.SMTP:
    host, port, timeout = settings.mail_host, settings.mail_port, TIMEOUT.total_seconds()
    if settings.mail_security is MailSecurity.TLS:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    server = smtplib.SMTP(host, port, timeout=timeout)
    if settings.mail_security is MailSecurity.STARTTLS:
        server.starttls(context=ssl.create_default_context())
    return server


class Alerting:
    """The thread that delivers what is due, every :data:`INTERVAL`."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        slack = settings.alert_slack_url
        self._senders: Mapping[Channel, Sender] = {
            Channel.SLACK: lambda one: send_to_slack(
                slack.get_secret_value() if slack else "", one
            ),
            Channel.EMAIL: lambda one: send_mail(settings, one),
        }
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)

    def start(self) -> None:
        """Start the thread; warns if alerts would reach nobody."""
        if not configured(self._settings):
            log.warning("alerts_reach_nobody", remedy="set PORTIERE_ALERT_…: docs/alerts.md")
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
            if delivery.channel is not Channel.WHATSAPP:
                self._senders[delivery.channel](delivery)
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
            if delivery.channel is Channel.WHATSAPP:
                self._write_to_phones(connection, delivery)
            self._desk.alerts.delivered(connection, delivery.delivery_id)
        log.info("alert_delivered", kind=delivery.kind, **found)

    def _write_to_phones(self, connection: Connection, delivery: Delivery) -> None:
        desk, language = self._desk, self._desk.facts.default_language
        message = desk.catalogue.render(DESK_ALERT, language, {"text": delivery.text})
        for number, phone in enumerate(self._settings.alert_whatsapp):
            key = f"alert-{delivery.alert_id}-{number}"
            draft = Draft(key, phone, Kind.DESK, message, language)
            desk.outbox.add(connection, draft)

    def _run(self) -> None:
        while True:
            try:
                self.deliver_due()
            except DatabaseError as error:
                log.error("alerting_failed", reason=str(error))
            if self._stopping.wait(INTERVAL.total_seconds()):
                return

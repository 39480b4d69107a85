"""Mails to the people at the desk."""

import smtplib
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import structlog

from app.channels.undelivered import TIMEOUT, UndeliveredError
from app.settings_alerts import ChannelSettings, MailSecurity

log = structlog.get_logger()


def send_mail(settings: ChannelSettings, subject: str, text: str, *, urgent: bool = False) -> None:
    """Hand a mail to the server. Raises :class:`app.channels.undelivered.UndeliveredError`."""
    try:
        with _connect(settings) as server:
            if settings.mail_security is MailSecurity.STARTTLS:
                server.starttls(context=ssl.create_default_context())
            if settings.mail_user:
                server.login(settings.mail_user, settings.mail_password.get_secret_value())
            refused = server.send_message(_mail(settings, subject, text, urgent=urgent))
    except smtplib.SMTPResponseException as error:
        # 5xx may be a full mailbox or a wrong password: mended by a person, so worth trying again.
        raise UndeliveredError(f"the mail server answered {error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise UndeliveredError(f"the mail was not taken ({type(error).__name__})") from None
    if refused:
        log.warning("mail_refused_for_some", recipients=len(refused))


def _connect(settings: ChannelSettings) -> smtplib.SMTP:
    host, port, timeout = settings.mail_host, settings.mail_port, TIMEOUT.total_seconds()
    if settings.mail_security is MailSecurity.TLS:
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=timeout)


def _mail(settings: ChannelSettings, subject: str, text: str, *, urgent: bool) -> EmailMessage:
    sender = settings.alert_email_from
    message = EmailMessage()
    message["From"] = Address("Portiere", addr_spec=sender)
    message["To"] = [Address(addr_spec=one) for one in settings.alert_email_to]
    message["Subject"] = f"Portiere: {subject}"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid("portiere", domain=sender.rpartition("@")[2])
    if urgent:
        message["X-Priority"] = "1"
    message.set_content(text)
    return message

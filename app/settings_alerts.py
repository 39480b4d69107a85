"""The settings of how the desk is called; part of `app.settings.Settings`."""

from datetime import time, timedelta
from enum import StrEnum

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from app.settings_values import Duration, MailAddress, MailAddresses, Phones, SecretUrl


class MailSecurity(StrEnum):
    """How the mail server is spoken to."""

    STARTTLS = "starttls"  # port 587
    TLS = "tls"  # port 465
    NONE = "none"  # only for a server on this machine


class ChannelSettings(BaseSettings):
    """How people are reached: of the desk and of the cloud layer."""

    alert_slack_url: SecretUrl = Field(
        SecretStr(""),
        description="Slack's incoming webhook that alerts go to; who knows it may write.",
    )
    alert_email_to: MailAddresses = Field(
        [], description="Mail addresses that alerts go to, comma-separated."
    )
    alert_email_from: MailAddress = Field("", description="Sender of those mails.")
    mail_host: str = Field("", description="Mail server (SMTP) that takes them.")
    mail_port: int = Field(587, ge=1, le=65535, description="Its port.")
    mail_security: MailSecurity = Field(
        MailSecurity.STARTTLS, description="starttls, tls, or none for a server on this machine."
    )
    mail_user: str = Field("", description="Its user; empty if it asks for none.")
    mail_password: SecretStr = Field(SecretStr(""), description="And the password.")


class AlertSettings(ChannelSettings):
    """See :class:`app.settings.Settings`, which has them all."""

    takeover_remind: Duration = Field(
        timedelta(minutes=15),
        gt=timedelta(0),
        description="How long a guest waits for a person before the desk is called again.",
    )
    departure_notice_at: time = Field(
        time(18),
        description="When guests who leave tomorrow are told how, by the property's clock.",
    )
    alert_whatsapp: Phones = Field(
        [], description="Phones of the desk that alerts go to on WhatsApp, comma-separated."
    )

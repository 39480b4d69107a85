"""The settings of where the cloud layer hears of things; part of `CloudSettings`.

Each source is off until its first setting is set.
"""

from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from app.settings_values import Duration, is_placeholder


class ImapSecurity(StrEnum):
    """How the mailbox's server is spoken to."""

    TLS = "tls"  # port 993
    STARTTLS = "starttls"  # port 143
    NONE = "none"  # only for a server on this machine


class SmoobuAuth(StrEnum):
    """How Smoobu wants to be asked: by HMAC, or by the header it is retiring."""

    HMAC = "hmac"
    API_KEY = "api_key"


class SourceSettings(BaseSettings):
    """See :class:`cloud_jobs.settings.CloudSettings`, which has them all."""

    imap_host: str = Field("", description="IMAP server of the mailbox that reservations come to.")
    imap_port: int = Field(993, ge=1, le=65535, description="Its port.")
    imap_security: ImapSecurity = Field(ImapSecurity.TLS, description="tls, starttls or none.")
    imap_user: str = Field("", description="Its user.")
    imap_password: SecretStr = Field(SecretStr(""), description="And the password.")
    imap_folder: str = Field("INBOX", description="The folder that is read.")
    imap_poll: Duration = Field(
        timedelta(minutes=5),
        gt=timedelta(0),
        description="How often the folder is looked into besides, in case it told nothing.",
    )
    mail_authserv_id: str = Field(
        "", description="What that server calls itself in Authentication-Results (docs/mail.md)."
    )

    smoobu_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://login.smoobu.com"), description="Smoobu, without /api."
    )
    smoobu_key: SecretStr = Field(SecretStr(""), description="The API key of Smoobu.")
    smoobu_secret: SecretStr = Field(SecretStr(""), description="The secret that signs, for hmac.")
    smoobu_auth: SmoobuAuth = Field(SmoobuAuth.HMAC, description="hmac, or api_key (retired).")
    smoobu_webhook_secret: SecretStr = Field(
        SecretStr(""), description="The last part of the webhook's address that Smoobu is given."
    )

    aeroapi_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://aeroapi.flightaware.com/aeroapi"), description="FlightAware's AeroAPI."
    )
    aeroapi_key: SecretStr = Field(SecretStr(""), description="Sent as x-apikey.")
    flight_threshold: Duration = Field(
        timedelta(minutes=30),
        gt=timedelta(0),
        description="By how much an arrival must change before guests are told of it again.",
    )
    transfer_time: Duration = Field(
        timedelta(minutes=90), description="From landing to the property's door."
    )

    openweather_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://api.openweathermap.org"), description="OpenWeather, without /data."
    )
    openweather_key: SecretStr = Field(SecretStr(""), description="Sent as appid.")
    openweather_daily: int = Field(
        1000, ge=1, description="Calls a day that cost nothing; more are never made."
    )
    latitude: Decimal | None = Field(None, ge=-90, le=90, description="Where the property is.")
    longitude: Decimal | None = Field(None, ge=-180, le=180, description="The same.")

    arrival_notice_at: time = Field(
        time(10), description="When guests who come tomorrow are told how, by the property's clock."
    )
    review_link: str = Field("", description="Where guests may write a review; empty: none asked.")
    units: int | None = Field(
        None, ge=1, description="Rooms or flats there are to let; occupancy is measured by it."
    )
    check_in_until: time | None = Field(
        None,
        description="When check-in ends, as in property.yml; before noon: in the night after.",
    )
    night_pause_from: time = Field(time(2), description="When what can wait is paused.")
    night_pause_until: time = Field(time(8), description="When it goes on.")

    @model_validator(mode="after")
    def _whole_sources(self) -> Self:
        if self.imap_host and (not self.imap_user or is_placeholder(self.imap_password)):
            raise ValueError("PORTIERE_IMAP_HOST needs PORTIERE_IMAP_USER and _PASSWORD")
        if self.imap_host and not self.mail_authserv_id:
            raise ValueError(
                "PORTIERE_IMAP_HOST needs PORTIERE_MAIL_AUTHSERV_ID: without it no mail is believed"
            )
        hmac = self.smoobu_auth is SmoobuAuth.HMAC
        if self.smoobu_key.get_secret_value() and hmac and is_placeholder(self.smoobu_secret):
            raise ValueError("PORTIERE_SMOOBU_KEY needs PORTIERE_SMOOBU_SECRET, or AUTH=api_key")
        if self.openweather_key.get_secret_value() and None in {self.latitude, self.longitude}:
            raise ValueError("PORTIERE_OPENWEATHER_KEY needs PORTIERE_LATITUDE and _LONGITUDE")
        return self

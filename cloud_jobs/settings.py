"""Every setting of the cloud layer, from ``PORTIERE_…`` variables of its own environment file.

One file for its three processes; where a setting has the name of one of the desk's, it means the
same there.
"""

import os
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from app.settings import ENV_FILE_VARIABLE, SettingsError, explain
from app.settings_alerts import ChannelSettings
from app.settings_api import ApiSettings
from app.settings_keys import read_key, read_seal_keys
from app.settings_llm import ModelSettings
from app.settings_values import Duration, ListenAddresses, LogLevel, is_placeholder, time_zones
from cloud_jobs.settings_sources import SourceSettings


class ByDesk(StrEnum):
    """Which alerts the desk sends to its phones for the cloud."""

    ALL = "all"
    URGENT = "urgent"
    NONE = "none"


class CloudSettings(SourceSettings, ApiSettings, ChannelSettings, ModelSettings):
    """The settings of one process of the cloud layer."""

    model_config = SettingsConfigDict(env_prefix="PORTIERE_", extra="ignore", frozen=True)

    store_url: SecretStr = Field(
        SecretStr("sqlite:///cloud.db"),
        description="The store: sqlite:////path or postgresql+psycopg://user:password@host/name.",
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="The cloud layer's own Redis (or Valkey), not the desk's.",
    )
    seal_keys: SecretStr = Field(
        description="id:base64 of 32 bytes, comma-separated; the first seals, all open."
    )
    cloud_bind: ListenAddresses = Field(
        ["127.0.0.1:8081"], description="Addresses the cloud's API listens on, comma-separated."
    )
    node: str = Field("mac", description="The client of the API that commands are for.")
    node_standby: str = Field(
        "",
        description="The client that is the desk when that one is not: commands are for it then, "
        "and what it tells, the desk tells. Empty for none.",
    )
    # The desk fetches and tells several times a second when it is busy; a 429 would delay guests.
    requests_per_minute: int = Field(
        600, ge=1, description="What one client, or one address without a key, may ask in a minute."
    )
    desk_url: AnyHttpUrl | None = Field(
        None, description="The desk's gateway, asked who is in the house; over the private link."
    )
    desk_key: SecretStr = Field(
        SecretStr(""), description="Signs what is asked of it, as its client `cloud`."
    )
    time_zone: str = Field("Europe/Rome", description="The property's: the clock of every job.")
    default_language: str = Field(
        "it", pattern="^(it|en|de|fr|es)$", description="The language the host writes in."
    )
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="What costs are added up in.")
    costs_file: Path | None = Field(
        None, description="Prices of your own (docs/costs.md) in place of the bundled costs.yml."
    )
    alert_by_desk: ByDesk = Field(
        ByDesk.URGENT,
        description="Alerts that the desk sends to its own phones by WhatsApp: all, urgent, none.",
    )
    worker_threads: int = Field(4, ge=1, le=64, description="Threads of one worker.")
    run_lease: Duration = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        description="A run whose worker has not been heard of for so long is tried again.",
    )
    lease_ttl: Duration = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        description="How long a node that leads the desk leads on without being heard of; the "
        "other takes over then.",
    )
    lease_grace: Duration = Field(
        timedelta(seconds=10),
        description="How much longer the API waits for it after its own start.",
    )
    relay_interval: Duration = Field(
        timedelta(seconds=1), description="How often runs are looked for that nobody took up."
    )
    keep_runs: Duration = Field(
        timedelta(days=90), description="How long finished runs and told events are kept."
    )
    alive_directory: Path | None = Field(
        None, description="Where scheduler and worker each touch a file while they work."
    )
    ship_logs_to: Path | None = Field(
        None, description="Directory of what runs logged, a file a day for the backups to take."
    )
    log_dir: Path | None = Field(None, description="Where log files go; else standard error.")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("seal_keys", "redis_url", "store_url")
    @classmethod
    def _no_placeholder(cls, value: SecretStr) -> SecretStr:
        if is_placeholder(value):
            raise ValueError("still holds a placeholder: put the real value there")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError("write a time zone as continent and city, like Europe/Rome")
        return value

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        _ = self.seal_key_bytes
        if self.alert_email_to and not (self.mail_host and self.alert_email_from):
            raise ValueError(
                "PORTIERE_ALERT_EMAIL_TO needs PORTIERE_MAIL_HOST and PORTIERE_ALERT_EMAIL_FROM"
            )
        if self.desk_url is not None:
            _ = self.desk_key_bytes
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        """The property's time zone."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def nodes(self) -> frozenset[str]:
        """The clients that are the desk, one of them at a time: the one that leads."""
        return frozenset({self.node, self.node_standby} - {""})

    @cached_property
    def seal_key_bytes(self) -> dict[str, bytes]:
        """Keys that open sealed values, by id; the first one seals."""
        return read_seal_keys(self.seal_keys.get_secret_value(), "PORTIERE_SEAL_KEYS")

    @cached_property
    def desk_key_bytes(self) -> bytes:
        """The key that signs what the desk is asked."""
        if is_placeholder(self.desk_key):
            raise ValueError("PORTIERE_DESK_URL needs PORTIERE_DESK_KEY: `portiere keys`")
        return read_key(self.desk_key.get_secret_value(), "PORTIERE_DESK_KEY")

    @cached_property
    def bind_addresses(self) -> list[tuple[str, int]]:
        """``cloud_bind`` as (host, port)."""
        pairs = (address.rpartition(":") for address in self.cloud_bind)
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]


def load() -> CloudSettings:
    """Read the settings. Raises SettingsError naming each variable that is not right."""
    env_file = os.environ.get(ENV_FILE_VARIABLE)
    if env_file and not os.access(env_file, os.R_OK):
        raise SettingsError(
            f"{ENV_FILE_VARIABLE}={env_file}: there is no such file, or it can't be read"
        )
    try:
        return CloudSettings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError(explain(error)) from None

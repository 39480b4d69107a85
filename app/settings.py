"""Every setting of Portiere, read from ``PORTIERE_…`` variables.

The variables come from the environment or from the file that ``PORTIERE_ENV_FILE`` names: a
launchd plist is world-readable, so secrets live in that file (0600) and nowhere else.
"""

import os
from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import (
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from app.settings_alerts import AlertSettings
from app.settings_api import ApiSettings
from app.settings_backup import BackupSettings
from app.settings_gateway import GatewaySettings
from app.settings_ha import HaSettings
from app.settings_keys import read_key, read_seal_keys
from app.settings_llm import ModelSettings
from app.settings_values import (
    Duration,
    ListenAddresses,
    LogLevel,
    is_placeholder,
)

ENV_FILE_VARIABLE = "PORTIERE_ENV_FILE"


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable and says what to do."""


class ProviderName(StrEnum):
    """Who carries the messages."""

    SPOKI = "spoki"
    WHATSAPP_CLOUD = "whatsapp_cloud"


# What must be set, and no placeholder, for each.
NEEDED: Mapping[ProviderName, tuple[str, ...]] = {
    ProviderName.SPOKI: ("spoki_api_key", "spoki_webhook_secret"),
    ProviderName.WHATSAPP_CLOUD: (
        "whatsapp_access_token",
        "whatsapp_phone_number_id",
        "whatsapp_app_secret",
        "whatsapp_verify_token",
    ),
}


class InDoubt(StrEnum):
    """What becomes of a send whose answer was lost and whose echo never came."""

    RESEND = "resend"
    LEAVE = "leave"


class Settings(
    ApiSettings, GatewaySettings, HaSettings, BackupSettings, AlertSettings, ModelSettings
):
    """The settings of one process. Durations in seconds; secrets never show in ``repr``."""

    model_config = SettingsConfigDict(env_prefix="PORTIERE_", extra="ignore", frozen=True)

    node_name: str = Field("mac", description="How this node calls itself in logs and in health.")
    gateway_bind: ListenAddresses = Field(
        ["127.0.0.1:8080"],
        description="Addresses the gateway listens on, host:port, comma-separated.",
    )
    database: Path = Field(Path("portiere.db"), description="The SQLite file.")
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis, with user and password."
    )
    provider: ProviderName = Field(
        ProviderName.SPOKI, description="Who carries the messages: spoki or whatsapp_cloud."
    )
    spoki_base_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://api.spoki.com"), description="Spoki's API, without /api/1."
    )
    spoki_api_key: SecretStr = Field(SecretStr(""), description="Sent as X-Spoki-Api-Key.")
    spoki_webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of the webhook; two, comma-separated, while it is being rotated.",
    )
    whatsapp_base_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://graph.facebook.com/v23.0"), description="Meta's Graph API."
    )
    whatsapp_access_token: SecretStr = Field(SecretStr(""), description="Sent as Bearer.")
    whatsapp_phone_number_id: str = Field(
        "", pattern="^[0-9]*$", description="Meta's id of the property's number, not the number."
    )
    whatsapp_app_secret: SecretStr = Field(
        SecretStr(""), description="Signs Meta's webhooks; two, comma-separated, as above."
    )
    whatsapp_verify_token: SecretStr = Field(
        SecretStr(""), description="A word of yours that Meta repeats when the webhook is set up."
    )
    seal_keys: SecretStr = Field(
        description="id:base64 of 32 bytes, comma-separated; the first seals, all open."
    )
    index_key: SecretStr = Field(description="base64 of 32 bytes; finds a guest by phone.")
    property_file: Path = Field(Path("property.yml"), description="The facts of the property.")
    log_dir: Path | None = Field(
        None, description="Where log files go, rotated; without it logs go to standard error."
    )
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    worker_threads: int = Field(8, ge=1, le=64, description="Threads of one worker process.")
    send_timeout: Duration = Field(
        timedelta(seconds=10), description="How long the provider may take to answer a send."
    )
    send_echo_wait: Duration = Field(
        timedelta(seconds=20),
        description="How long the echo of a send whose answer was lost is waited for.",
    )
    send_in_doubt: InDoubt = Field(
        InDoubt.RESEND, description="After that wait: resend, or leave it to a person."
    )
    relay_interval: Duration = Field(
        timedelta(seconds=1),
        description="How often the relay looks for rows that were left behind.",
    )
    relay_grace: Duration = Field(
        timedelta(seconds=3), description="How long a fresh row is left to the queue before that."
    )

    quiet_from: time = Field(
        time(22), description="From when guests are left in peace, by their own clock."
    )
    quiet_until: time = Field(time(8), description="Until when; emergencies are always answered.")
    notices_per_day: int = Field(
        4, ge=1, description="How many messages nobody asked for a guest gets in a day."
    )
    texts_per_minute: int = Field(
        120, ge=1, description="What the provider takes; kept to once it has said 429."
    )
    templates_per_minute: int = Field(60, ge=1, description="The same for templates, always kept.")
    templates: Path | None = Field(
        None, description="Folder with message templates of your own (docs/templates.md)."
    )

    @field_validator("seal_keys", "index_key", "redis_url")
    @classmethod
    def _no_placeholder(cls, value: SecretStr) -> SecretStr:
        if is_placeholder(value):
            raise ValueError("still holds a placeholder: put the real value there")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.alert_email_to and not (self.mail_host and self.alert_email_from):
            raise ValueError(
                "PORTIERE_ALERT_EMAIL_TO needs PORTIERE_MAIL_HOST and PORTIERE_ALERT_EMAIL_FROM"
            )
        if self.mail_user and is_placeholder(self.mail_password):
            raise ValueError("PORTIERE_MAIL_USER needs PORTIERE_MAIL_PASSWORD")
        if missing := [
            name for name in NEEDED[self.provider] if is_placeholder(getattr(self, name))
        ]:
            names = ", ".join(f"PORTIERE_{name.upper()}" for name in missing)
            raise ValueError(
                f"PORTIERE_PROVIDER={self.provider} needs {names}: not set, or still a placeholder"
            )
        _ = self.seal_key_bytes, self.index_key_bytes
        return self

    @cached_property
    def seal_key_bytes(self) -> dict[str, bytes]:
        """Keys that open sealed columns, by id; the first one seals."""
        return read_seal_keys(self.seal_keys.get_secret_value(), "PORTIERE_SEAL_KEYS")

    @cached_property
    def index_key_bytes(self) -> bytes:
        """The key of the blind index."""
        return read_key(self.index_key.get_secret_value(), "PORTIERE_INDEX_KEY")

    @cached_property
    def backup_directory(self) -> Path:
        """What backups are put together in, and what is known of them."""
        return self.database.absolute().parent / "backup"

    @cached_property
    def is_replicated(self) -> bool:
        """Whether Litestream copies the database to another place while this machine leads."""
        return bool(self.ha_replica)

    @cached_property
    def ha_directory(self) -> Path:
        """Where what leading and standing by need lies, beside the database."""
        return self.database.parent / "ha"

    @cached_property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that a webhook of the provider may be signed with."""
        of_spoki = self.provider is ProviderName.SPOKI
        secret = self.spoki_webhook_secret if of_spoki else self.whatsapp_app_secret
        return tuple(part.strip() for part in secret.get_secret_value().split(",") if part.strip())

    @cached_property
    def bind_addresses(self) -> list[tuple[str, int]]:
        """``gateway_bind`` as (host, port)."""
        pairs = (address.rpartition(":") for address in self.gateway_bind)
        return [(host.strip("[]"), int(port)) for host, _, port in pairs]


def load() -> Settings:
    """Read the settings. Raises :class:`SettingsError` naming each variable that is not right."""
    env_file = os.environ.get(ENV_FILE_VARIABLE)
    if env_file and not os.access(env_file, os.R_OK):
        raise SettingsError(
            f"{ENV_FILE_VARIABLE}={env_file}: there is no such file, or it can't be read"
        )
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """The errors without the values: a wrong secret is a secret still."""
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        variable = f"PORTIERE_{str(item['loc'][0]).upper()}: " if item["loc"] else ""
        message = "is not set" if item["type"] == "missing" else item["msg"]
        lines.append(f"  {variable}{message.removeprefix('Value error, ')}")
    where = os.environ.get(ENV_FILE_VARIABLE, "the environment")
    return "\n".join(
        [f"The settings in {where} are not complete:", *lines, "docs/settings.md lists them."]
    )

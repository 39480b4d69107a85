"""How a sandbox is set up, and what may be switched while it runs."""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.settings import ENV_FILE_VARIABLE, SettingsError

PREFIX = "PORTIERE_SANDBOX_"


class SandboxConfig(BaseSettings):
    """What a sandbox is started with, from ``PORTIERE_SANDBOX_…`` variables. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    api_key: SecretStr = Field(description="What X-Spoki-Api-Key must hold.")
    webhook_url: str | None = Field(None, description="Where the webhooks go; none: nowhere.")
    webhook_secret: SecretStr = Field(description="Signs the webhooks.")
    account_phone: str = Field(
        "390000000099", description="The property's own number, without + as Spoki writes it."
    )
    status_gap: float = Field(
        0.15, ge=0, description="Between Sent, Delivered and Read; long enough to see the ticks."
    )
    redelivery_first: float = Field(
        0.5, gt=0, description="Before the first redelivery; doubled each time, at most 10."
    )


class SandboxSettings(BaseModel):
    """What ``PATCH /sandbox/settings`` changes."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    outbound_webhooks: Literal["on", "off"] = "on"
    rate_limits: Literal["on", "off"] = "off"
    status_gap_ms: int = Field(150, ge=0, le=60_000)


def load_config() -> SandboxConfig:
    """Read the variables. Raises :class:`SettingsError` naming each that is not right."""
    try:
        return SandboxConfig(_env_file=os.environ.get(ENV_FILE_VARIABLE))
    except ValidationError as error:
        wrong = [
            f"  {PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join(["The sandbox isn't set up:", *wrong])) from None

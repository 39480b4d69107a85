"""The settings of the gateway between the cloud and the desk; part of `app.settings.Settings`."""

from datetime import timedelta

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings

from app.settings_values import Duration


class GatewaySettings(BaseSettings):
    """See :class:`app.settings.Settings`, which has them all."""

    gateway_workers: int = Field(
        1, ge=1, le=16, description="Gateway processes that share the load."
    )
    cloud_url: AnyHttpUrl | None = Field(
        None,
        description="The cloud layer's API; without it nothing is pulled from it or told to it.",
    )
    cloud_key: SecretStr = Field(
        SecretStr(""), description="Signs what this node asks of the cloud: base64 of 32 bytes."
    )
    events_park_after: Duration = Field(
        timedelta(days=3),
        description="How old an event may become untaken by the cloud before a person must look.",
    )
    breaker_rest: Duration = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        description="How long Spoki, or the cloud, is left alone once it fails too often.",
    )
    breaker_window: Duration = Field(
        timedelta(minutes=2),
        gt=timedelta(0),
        description="Too often is: half of what was asked of it in this time.",
    )
    breaker_fewest_calls: int = Field(
        5, ge=1, description="And of so many calls at least, or the breaker stays closed."
    )

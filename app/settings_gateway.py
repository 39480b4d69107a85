"""The settings of the gateway between the cloud and the desk; part of `app.settings.Settings`."""

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from app.settings_keys import read_key
from app.settings_peers import PeerAddress, read_peers
from app.settings_values import Duration, is_placeholder


def _peers(value: str) -> str:
    read_peers(value)
    return value


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
    peers: Annotated[str, AfterValidator(_peers)] = Field(
        "",
        description="The other nodes to watch, comma-separated: vps=link:http://10.86.0.1:8080 "
        "over the private link, vps=public:https://desk.example.com by the public name.",
    )

    @cached_property
    def peer_addresses(self) -> tuple[PeerAddress, ...]:
        """``peers``, parsed."""
        return read_peers(self.peers)

    @model_validator(mode="after")
    def _cloud_has_a_key(self) -> Self:
        if self.cloud_url is not None:
            _ = self.cloud_key_bytes
        return self

    @cached_property
    def cloud_key_bytes(self) -> bytes:
        """The key that this node signs with when it speaks to the cloud."""
        if is_placeholder(self.cloud_key):
            raise ValueError("PORTIERE_CLOUD_URL needs PORTIERE_CLOUD_KEY: `portiere keys`")
        return read_key(self.cloud_key.get_secret_value(), "PORTIERE_CLOUD_KEY")

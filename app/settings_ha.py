"""The settings of leading and standing by; part of `app.settings.Settings`."""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, TypeAdapter, model_validator
from pydantic_settings import BaseSettings

from app.settings_keys import read_key
from app.settings_values import Duration, is_placeholder

_URL: TypeAdapter[AnyHttpUrl] = TypeAdapter(AnyHttpUrl)


class Unreachable(StrEnum):
    """What a leader does when it can't reach the authority by any way."""

    STAY = "stay"
    STEP_DOWN = "step_down"


def _urls(value: str) -> str:
    for one in read_urls(value):
        _URL.validate_python(one)
    return value


def read_urls(text: str) -> tuple[str, ...]:
    """Addresses, comma-separated, without a slash at the end."""
    return tuple(one.strip().rstrip("/") for one in text.split(",") if one.strip())


class HaSettings(BaseSettings):
    """See :class:`app.settings.Settings`, which has them all."""

    ha_authority: Annotated[str, AfterValidator(_urls)] = Field(
        "",
        description="Who keeps the lease: the cloud layer's API, over the private link and then by "
        "its public name, comma-separated. Without it this node leads, always and alone.",
    )
    ha_peer: str = Field("", description="The other node's name.")
    ha_peer_urls: Annotated[str, AfterValidator(_urls)] = Field(
        "", description="The other node's gateway, in the same way."
    )
    ha_key: SecretStr = Field(
        SecretStr(""),
        description="Signs what the two nodes ask of each other: base64 of 32 bytes.",
    )
    ha_preferred: bool = Field(
        False, description="Whether this node takes the lead back once it is well again."
    )
    ha_renew: Duration = Field(
        timedelta(seconds=2),
        gt=timedelta(0),
        description="How often the lease is renewed: far more often than PORTIERE_LEASE_TTL asks "
        "for, as the nodes hear of each other by that.",
    )
    ha_margin: Duration = Field(
        timedelta(seconds=2),
        description="How long before its end a lease is taken for over: what is on its way to the "
        "provider by then has left.",
    )
    ha_when_authority_unreachable: Unreachable = Field(
        Unreachable.STAY,
        description="What a leader does that reaches the provider but not the authority: stay, or "
        "step_down when its lease is over. Not asked where there is a witness.",
    )
    ha_witness_bucket: str = Field(
        "", description="A bucket that says who leads when the authority can't; empty for none."
    )
    ha_witness_endpoint: AnyHttpUrl | None = Field(
        None, description="The bucket's S3 service; without it, AWS's own."
    )
    ha_witness_region: str = Field("", description="The bucket's region.")
    ha_witness_key_id: SecretStr = Field(SecretStr(""), description="Who may write to it.")
    ha_witness_secret: SecretStr = Field(SecretStr(""), description="And with which secret.")
    ha_mirror_timeout: Duration = Field(
        timedelta(seconds=1),
        gt=timedelta(0),
        description="How long the other node may take to keep its copy of an event before the "
        "event is accepted on this one alone.",
    )
    ha_replica: str = Field(
        "",
        description="Where the database is replicated to, without the term: file:///path, or "
        "sftp://user@host:port/path.",
    )
    ha_replica_key: Path | None = Field(
        None, description="The private key for sftp; only its owner may read it."
    )
    ha_replica_host_key: str = Field("", description="The SFTP server's: ssh-ed25519 AAAA…")
    ha_redis_admin_url: SecretStr = Field(
        SecretStr(""), description="This node's Redis, as a user who may say whose copy it is."
    )
    ha_redis_password: SecretStr = Field(
        SecretStr(""), description="Of the user `replica`, by which the two Redis copy each other."
    )
    ha_redis_peer: str = Field("", description="The other node's Redis, host:port.")
    ha_redis_patience: Duration = Field(
        timedelta(seconds=30),
        description="How long the leader's Redis may be away before the other node shall lead.",
    )
    ha_programs_patience: Duration = Field(
        timedelta(seconds=30),
        description="How long the leader's gateway or worker may be away before the other node "
        "shall lead.",
    )
    ha_most_lag: Duration = Field(
        timedelta(seconds=5),
        description="How far behind a standby may be and still be switched over to: what it lacks "
        "is waited for meanwhile.",
    )
    ha_calm: Duration = Field(
        timedelta(minutes=2),
        description="How long all must have been well before the preferred node takes the lead "
        "back by itself: a line that flaps must not have the desk change sides each time.",
    )

    @model_validator(mode="after")
    def _ha_is_whole(self) -> Self:
        if not self.ha_authority:
            return self
        needed = {
            "ha_peer": self.ha_peer,
            "ha_peer_urls": self.ha_peer_urls,
            "ha_replica": self.ha_replica,
            "ha_redis_admin_url": self.ha_redis_admin_url.get_secret_value(),
            "ha_redis_peer": self.ha_redis_peer,
        }
        if missing := [f"PORTIERE_{name.upper()}" for name, value in needed.items() if not value]:
            raise ValueError(f"PORTIERE_HA_AUTHORITY needs {', '.join(missing)}")
        _ = self.ha_key_bytes
        return self

    @model_validator(mode="after")
    def _witness_is_whole(self) -> Self:
        keys = (self.ha_witness_key_id, self.ha_witness_secret)
        if self.ha_witness_bucket and any(is_placeholder(one) for one in keys):
            raise ValueError(
                "PORTIERE_HA_WITNESS_BUCKET needs PORTIERE_HA_WITNESS_KEY_ID and "
                "PORTIERE_HA_WITNESS_SECRET"
            )
        return self

    @cached_property
    def ha_key_bytes(self) -> bytes:
        """The key between the nodes."""
        if is_placeholder(self.ha_key):
            raise ValueError("PORTIERE_HA_AUTHORITY needs PORTIERE_HA_KEY: `portiere keys`")
        return read_key(self.ha_key.get_secret_value(), "PORTIERE_HA_KEY")

    @cached_property
    def authority_urls(self) -> tuple[str, ...]:
        """``ha_authority``: the link first."""
        return read_urls(self.ha_authority)

    @cached_property
    def peer_urls(self) -> tuple[str, ...]:
        """``ha_peer_urls``: the link first."""
        return read_urls(self.ha_peer_urls)

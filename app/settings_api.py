"""The settings of who may call the API; part of `app.settings.Settings`."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings

from app.settings_keys import read_key
from app.settings_values import Duration

Network = IPv4Network | IPv6Network
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_EXAMPLE: Final = '{"cloud": {"keys": ["<base64>"], "scopes": ["commands", "events"]}}'


class Scope(StrEnum):
    """What a client of the API may do."""

    COMMANDS = "commands"  # ask for commands, and see what became of them
    EVENTS = "events"  # tell of what happened elsewhere
    GUESTS = "guests"  # read who is here
    JOBS = "jobs"  # read what is under way
    QUEUES = "queues"  # pause, resume, sync; dead letters
    METRICS = "metrics"  # read the metrics
    LEASE = "lease"  # ask for the lease; of the cloud's API
    NODE = "node"  # be the other node: hand events over to be kept


class ApiClient(BaseModel):
    """Who may call: keys of 32 bytes, two while one is being replaced, and what they may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[bytes, ...] = Field(min_length=1, max_length=2)
    scopes: frozenset[Scope]

    @cached_property
    def encoded_keys(self) -> tuple[bytes, ...]:
        """The keys as base64: what a bearer shows."""
        return tuple(base64.b64encode(key) for key in self.keys)

    @field_validator("keys", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError("is a list of one or two keys")
        return [read_key(one, "a key") for one in value]


def read_clients(text: str) -> Mapping[str, ApiClient]:
    """The clients by name. Raises ValueError, without the keys, if ``text`` isn't right."""
    if not text.strip():
        return {}
    try:
        raw = json.loads(text)
    except ValueError:
        raise ValueError(f"is not JSON: write it like {_EXAMPLE}, on one line") from None
    if not isinstance(raw, dict):
        raise ValueError(f"is not a JSON object: write it like {_EXAMPLE}")
    clients = {name: _client(name, value) for name, value in raw.items()}
    keys = [key for client in clients.values() for key in client.keys]
    if len(set(keys)) != len(keys):
        raise ValueError("has the same key twice: each client has keys of its own")
    return clients


def _client(name: str, value: object) -> ApiClient:
    if not _NAME.fullmatch(name):
        raise ValueError("names a client that isn't 1 to 32 of a-z, 0-9 and -")
    try:
        return ApiClient.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join([name, *map(str, first["loc"])])
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _clients(value: SecretStr) -> SecretStr:
    read_clients(value.get_secret_value())
    return value


def _networks(value: str) -> str:
    for one in value.split(","):
        try:
            ip_network(one.strip())
        except ValueError:
            raise ValueError("write addresses or networks like 127.0.0.0/8,::1") from None
    return value


class ApiSettings(BaseSettings):
    """See :class:`app.settings.Settings`, which has them all."""

    api_clients: Annotated[SecretStr, AfterValidator(_clients)] = Field(
        SecretStr(""),
        description="Who may call the API, in JSON on one line: names, keys, scopes (docs/api.md).",
    )
    requests_per_minute: int = Field(
        100, ge=1, description="What one client, or one address without a key, may ask in a minute."
    )
    tunnel_peers: Annotated[str, AfterValidator(_networks)] = Field(
        "127.0.0.0/8,::1",
        description="Where our own tunnel connects from; only it is believed whom it speaks for.",
    )
    access_team_domain: AnyHttpUrl | None = Field(
        None,
        description="Cloudflare Access: https://<team>.cloudflareaccess.com; checked where set.",
    )
    access_audience: str = Field("", description="The audience tag of the Access application.")
    audit_keep: Duration = Field(
        timedelta(days=90),
        gt=timedelta(0),
        description="How long it is kept who changed what.",
    )

    @model_validator(mode="after")
    def _whole_door(self) -> Self:
        if self.access_team_domain is not None and not self.access_audience:
            raise ValueError(
                "PORTIERE_ACCESS_TEAM_DOMAIN needs PORTIERE_ACCESS_AUDIENCE: without it the door "
                "of any application of the team would do"
            )
        return self

    @cached_property
    def clients(self) -> Mapping[str, ApiClient]:
        """``api_clients``, by name."""
        return read_clients(self.api_clients.get_secret_value())

    @cached_property
    def tunnel_networks(self) -> tuple[Network, ...]:
        """``tunnel_peers``, parsed."""
        return tuple(ip_network(one.strip()) for one in self.tunnel_peers.split(","))

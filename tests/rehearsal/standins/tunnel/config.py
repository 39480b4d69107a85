"""`config.yml`, the credentials file and the ingress rules, as strict as cloudflared itself."""

import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ORIGIN_KEYS = {
    "access",
    "caPool",
    "connectTimeout",
    "disableChunkedEncoding",
    "http2Origin",
    "httpHostHeader",
    "keepAliveConnections",
    "keepAliveTimeout",
    "matchSNItoHost",
    "noHappyEyeballs",
    "noTLSVerify",
    "originServerName",
    "proxyAddress",
    "proxyPort",
    "proxyType",
    "tcpKeepAlive",
    "tlsTimeout",
}
RULE_KEYS = {"hostname", "path", "service", "originRequest"}
TOP_KEYS = {"tunnel", "credentials-file", "ingress", "originRequest", "warp-routing"} | {
    # Every flag of `tunnel` may stand in the file, too.
    "edge-ip-version",
    "grace-period",
    "logfile",
    "loglevel",
    "metrics",
    "no-autoupdate",
    "pidfile",
    "protocol",
    "retries",
}
PLAIN_SERVICES = ("hello_world", "hello-world", "bastion", "socks-proxy")
SCHEMES = ("http", "https", "tcp", "ssh", "rdp", "smb", "ws", "wss")


class ConfigError(Exception):
    """What is wrong, in cloudflared's words where they are known."""


@dataclass(frozen=True)
class Rule:
    """One ingress rule."""

    service: str
    hostname: str = ""
    path: re.Pattern[str] | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def matches_all(self) -> bool:
        """Whether no request passes it by."""
        return self.hostname in ("", "*") and self.path is None

    def matches(self, hostname: str, path: str) -> bool:
        """Whether it takes a request for ``path`` at ``hostname`` (without a port)."""
        if self.hostname.startswith("*."):
            fits = hostname.endswith(self.hostname[1:])
        else:
            fits = self.hostname in ("", "*", hostname)
        return fits and (self.path is None or self.path.search(path) is not None)


@dataclass(frozen=True)
class Credentials:
    """The JSON file that `tunnel create` wrote."""

    account_tag: str
    tunnel_id: str
    tunnel_secret: str = field(repr=False)


@dataclass(frozen=True)
class Config:
    """A whole `config.yml`; ``warnings`` are keys that cloudflared doesn't know."""

    raw: dict[str, Any]
    rules: list[Rule]
    warnings: list[str]


def read(path: Path) -> Config:
    """The configuration at ``path``.

    Raises:
        ConfigError: It can't be read, is no YAML mapping, or a rule is wrong.
    """
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"error parsing YAML in config file at {path}: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"error parsing YAML in config file at {path}: not a mapping")
    listed = raw.get("ingress") or []
    if not isinstance(listed, list):
        raise ConfigError(f"error parsing YAML in config file at {path}: ingress is no list")
    warnings = [f"unknown key: {key}" for key in raw if key not in TOP_KEYS]
    for number, rule in enumerate(listed, 1):
        warnings += [f"unknown key in rule #{number}: {key}" for key in set(rule) - RULE_KEYS]
        unknown = set(rule.get("originRequest") or {}) - ORIGIN_KEYS
        warnings += [f"unknown key in rule #{number}: originRequest.{key}" for key in unknown]
    shared = raw.get("originRequest") or {}
    return Config(raw, rules(listed, shared), warnings)


def rules(listed: list[dict[str, Any]], shared: dict[str, Any]) -> list[Rule]:
    """The ingress rules in order; an empty list where there are none.

    Raises:
        ConfigError: One of them breaks a rule of cloudflared's.
    """
    made = []
    for number, entry in enumerate(listed, 1):
        last = number == len(listed)
        rule = _rule(entry, shared)
        if last and not rule.matches_all:
            raise ConfigError(
                "The last ingress rule must match all URLs "
                "(i.e. it should not have a hostname or path filter)"
            )
        if not last and rule.matches_all:
            raise ConfigError(
                f"Rule #{number} is matching the hostname '{rule.hostname}', but this will match "
                "every hostname, meaning the rules which follow it will never be triggered."
            )
        made.append(rule)
    return made


def _rule(entry: dict[str, Any], shared: dict[str, Any]) -> Rule:
    hostname = str(entry.get("hostname") or "")
    if ":" in hostname:
        raise ConfigError("Hostname cannot contain a port")
    if "*" in hostname and hostname != "*" and "*" in hostname.removeprefix("*."):
        raise ConfigError(
            'Hostname patterns can have at most one wildcard character ("*") and it can only be '
            'used for subdomains, e.g. "*.example.com"'
        )
    path = entry.get("path")
    try:
        pattern = re.compile(path) if path else None
    except re.error as error:
        raise ConfigError(f"Rule has an invalid regex: {path}: {error}") from error
    service = str(entry.get("service") or "")
    _check_service(service)
    return Rule(service, hostname, pattern, shared | (entry.get("originRequest") or {}))


def _check_service(service: str) -> None:
    if service in PLAIN_SERVICES or service.startswith(("unix:", "unix+tls:")):
        return
    if service.startswith("http_status:"):
        code = service.removeprefix("http_status:")
        if not code.isdigit() or not 100 <= int(code) <= 999:
            raise ConfigError(f"invalid HTTP status code: {code}")
        return
    parts = urlsplit(service)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ConfigError(
            f'"{service}" is an invalid address, please make sure it has a scheme and a hostname'
        )
    if parts.path:
        raise ConfigError(
            f"{service} is an invalid address, ingress rules don't support proxying to a different "
            "path on the origin service. The path will be the same as the eyeball request's path"
        )


def credentials(path: Path) -> Credentials:
    """The credentials at ``path``.

    Raises:
        ConfigError: It can't be read, or lacks what a tunnel needs.
    """
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"Tunnel credentials file '{path}' doesn't exist or is not a file") from (
            error
        )
    except ValueError as error:
        raise ConfigError(f"Tunnel credentials file '{path}' is not valid JSON: {error}") from error
    try:
        secret = raw["TunnelSecret"]
        uuid.UUID(raw["TunnelID"])
        # What is shorter than 32 bytes the real edge refuses.
        if len(base64.b64decode(secret, validate=True)) < 32:
            raise ConfigError(f"Tunnel credentials file '{path}': TunnelSecret is too short")
        return Credentials(raw["AccountTag"], raw["TunnelID"], secret)
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise ConfigError(f"Tunnel credentials file '{path}' is not valid: {error!r}") from error


def route(listed: list[Rule], hostname: str, path: str) -> tuple[int, Rule] | None:
    """The first rule (and its place, from 0) that takes the request; None if there is no rule."""
    for number, rule in enumerate(listed):
        if rule.matches(hostname.partition(":")[0].lower(), path):
            return number, rule
    return None

"""The ``cloudflared`` command line."""

import argparse
import asyncio
import http.client
import json
import logging
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from . import VERSION
from .config import Config, ConfigError, Credentials, credentials, read, route

DEFAULT_PORTS = range(20241, 20246)
SEARCHED = (
    Path.home() / ".cloudflared",
    Path("/etc/cloudflared"),
    Path("/usr/local/etc/cloudflared"),
)
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50}
SHORT_LEVELS = {"WARNING": "WRN", "ERROR": "ERR", "INFO": "INF", "DEBUG": "DBG"}


def parser() -> argparse.ArgumentParser:
    """The flags that the real one has at every level, and the commands that are known here."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path)
    common.add_argument("--no-autoupdate", action="store_true")
    common.add_argument("--autoupdate-freq")
    common.add_argument("--metrics")
    common.add_argument("--loglevel", choices=LEVELS)
    common.add_argument("--logfile", type=Path)
    common.add_argument("--credentials-file", "--cred-file", type=Path)
    common.add_argument("--edge-ip-version", choices=("auto", "4", "6"))
    common.add_argument("--protocol", choices=("auto", "quic", "http2"))
    common.add_argument("--grace-period", type=_seconds)
    common.add_argument("--retries", type=int)
    common.add_argument("--pidfile", type=Path)
    common.add_argument("--token")
    common.add_argument("--token-file", type=Path)

    top = argparse.ArgumentParser("cloudflared", parents=[common], allow_abbrev=False)
    top.add_argument("--version", "-v", action="store_true")
    commands = top.add_subparsers(dest="command")
    commands.add_parser("version", parents=[common])
    tunnel = commands.add_parser("tunnel", parents=[common], allow_abbrev=False)
    verbs = tunnel.add_subparsers(dest="verb")
    run = verbs.add_parser("run", parents=[common], allow_abbrev=False)
    run.add_argument("name", nargs="?")
    verbs.add_parser("ready", parents=[common], allow_abbrev=False)
    ingress = verbs.add_parser("ingress", parents=[common]).add_subparsers(dest="check")
    ingress.add_parser("validate", parents=[common])
    ingress.add_parser("rule", parents=[common]).add_argument("url")
    return top


def main(words: list[str]) -> int:
    """Run one command line; the answer is the exit status."""
    flags = parser().parse_args(words)
    try:
        return _dispatch(flags)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1


def _dispatch(flags: argparse.Namespace) -> int:
    if flags.version or flags.command == "version":
        print(f"cloudflared version {VERSION} (built 2026-08-20-0000 UTC)")
        return 0
    verb = getattr(flags, "verb", None)
    if verb == "ready":
        return _ask_ready(flags)
    if verb == "ingress":
        return _ingress(flags)
    if verb == "run" or flags.command == "tunnel":
        return _run(flags)
    # The bare binary: what `service install` without a token leaves behind (#327, #589).
    print("cloudflared: use `cloudflared tunnel run` to start a tunnel", file=sys.stderr)
    return 1


def _config(flags: argparse.Namespace) -> tuple[Path, Config]:
    if path := getattr(flags, "config", None):
        return path, read(path)
    for directory in SEARCHED:
        for name in ("config.yml", "config.yaml"):
            if (directory / name).exists():
                return directory / name, read(directory / name)
    raise ConfigError(
        "Cannot determine default configuration path. No file [config.yml config.yaml]"
    )


def _ingress(flags: argparse.Namespace) -> int:
    path = getattr(flags, "config", None)
    if flags.check == "rule":
        _, config = _config(flags)
        return _ingress_rule(flags.url, config)
    print(f"Validating rules from {path}")
    try:
        _, config = _config(flags)
        if not config.rules:
            raise ConfigError("The config file doesn't contain any ingress rules")
    except ConfigError as error:
        raise ConfigError(f"Validation failed: {error}") from error
    for warning in config.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    print("OK")
    return 0


def _ingress_rule(url: str, config: Config) -> int:
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ConfigError(f"{url} doesn't have a hostname, consider adding a scheme")
    found = route(config.rules, parts.hostname, parts.path)
    if found is None:
        raise ConfigError("The config file doesn't contain any ingress rules")
    number, rule = found
    print(f"Using rules from {getattr(config, 'path', 'the configuration')}")
    print(f"Matched rule #{number}")
    for name, value in (("hostname", rule.hostname), ("service", rule.service)):
        if value:
            print(f"\t{name}: {value}")
    return 0


def _ask_ready(flags: argparse.Namespace) -> int:
    """`tunnel ready`: exit with 0 if the running cloudflared is connected."""
    if not hasattr(flags, "metrics"):
        raise ConfigError("--metrics has to be provided")
    host, _, port = flags.metrics.rpartition(":")
    try:
        connection = http.client.HTTPConnection(host or "localhost", int(port), timeout=10)
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise ConfigError(f"error making request to metrics server: {error}") from error
    if answer.status == 200:
        return 0
    raise ConfigError(f"http endpoint returned status code {answer.status}, body {body}")


def _run(flags: argparse.Namespace) -> int:
    if hasattr(flags, "token") or hasattr(flags, "token_file") or "TUNNEL_TOKEN" in os.environ:
        raise ConfigError("the stand-in has no remote configuration: use --config, not a token")
    path, config = _config(flags)
    tunnel = getattr(flags, "name", None) or config.raw.get("tunnel")
    if not tunnel:
        raise ConfigError(
            '"cloudflared tunnel run" requires the ID or name of the tunnel to run as the last '
            "command line argument or in the configuration file."
        )
    file = getattr(flags, "credentials_file", None) or config.raw.get("credentials-file")
    if not file:
        raise ConfigError(f"Cannot determine credentials file of tunnel {tunnel}")
    found = credentials(Path(file))
    if found.tunnel_id != str(tunnel):
        raise ConfigError(f"{file} belongs to tunnel {found.tunnel_id}, not to {tunnel}")
    _log_to(flags, config)
    log = logging.getLogger("cloudflared")
    log.info("Starting tunnel tunnelID=%s", tunnel)
    log.info("Version %s (a rehearsal's stand-in)", VERSION)
    for warning in config.warnings:
        log.warning("%s: %s", path, warning)
    if not config.rules:
        log.warning("No ingress rules were defined: every request gets a 503")
    asyncio.run(_serve(flags, config, found))
    return 0


async def _serve(flags: argparse.Namespace, config: Config, found: Credentials) -> None:
    # Here and not above: `tunnel ready` runs every few seconds and needs none of it.
    from .connector import Connector, serve_metrics  # noqa: PLC0415 - see above
    from .origin import Origins  # noqa: PLC0415 - see above

    grace = getattr(flags, "grace_period", None) or _seconds(config.raw.get("grace-period", "30s"))
    connector = Connector(found, Origins(config.rules), grace)
    chosen = getattr(flags, "metrics", None) or config.raw.get("metrics")
    metrics = await serve_metrics(connector, _metrics_addresses(chosen))
    await connector.run()
    await metrics.cleanup()


def _metrics_addresses(chosen: str | None) -> list[tuple[str, int]]:
    """The chosen address, or cloudflared's five and then any."""
    if chosen:
        host, _, port = chosen.rpartition(":")
        return [(host, int(port))]
    host = "0.0.0.0" if Path("/.dockerenv").exists() else "localhost"
    return [*((host, port) for port in DEFAULT_PORTS), (host, 0)]


def _log_to(flags: argparse.Namespace, config: Config) -> None:
    logfile = getattr(flags, "logfile", None) or config.raw.get("logfile")
    level = getattr(flags, "loglevel", None) or config.raw.get("loglevel", "info")
    logging.Formatter.converter = time.gmtime
    for name, short in SHORT_LEVELS.items():
        logging.addLevelName(getattr(logging, name), short)
    logging.basicConfig(
        filename=logfile,
        level=LEVELS[level],
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%SZ",
    )


def _seconds(text: str) -> float:
    """A Go duration of one unit, such as 30s, 500ms or 1m."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        number = text.removesuffix(unit)
        if number != text and number.isdigit():
            return int(number) * factor
    raise argparse.ArgumentTypeError(f"{text} is no duration")

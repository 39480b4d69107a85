"""``portiere status``: how this node is, on one screen."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import redis
import typer

from app import settings as configuration
from app.cli_database import desk_database
from app.messages.peers import Peer, PeerState
from app.providers.breaker import BreakerState
from app.settings import Settings
from app.store.database import Database, from_ms
from app.work import picture
from app.work.broker import make_broker
from app.work.picture import Picture

# Longer than anything waits that goes its way; shorter than a guest's patience.
OLD = timedelta(minutes=5)
# Of these, nobody but the machines is to blame when they wait: a person may take an hour.
HURRIED = ("answers", "sends", "commands", "alerts")
ALERTS = 5


def status() -> None:
    """Show how this node is: what waits, what is paused, who is up. Exit 1 if something is wrong.

    Wrong are: Redis away, something old that waits, an open breaker, a peer that is down. What a
    person has paused is only shown.
    """
    found = configuration.load()
    typer.echo(f"portiere {version('portiere')}  {found.node_name}")
    database = desk_database(found)
    now = datetime.now(UTC)
    seen = picture.take(database)
    troubles = list(_redis(found))
    troubles += _waiting(seen, now)
    troubles += _breakers(seen, now)
    _paused(seen, now)
    troubles += _peers(seen, now)
    _alerts(database, now)
    for trouble in troubles:
        typer.echo(f"WRONG: {trouble}", err=True)
    if troubles:
        raise typer.Exit(1)


def _redis(found: Settings) -> Iterator[str]:
    try:
        queued = make_broker(found.redis_url.get_secret_value(), []).waiting()
    except redis.RedisError as error:
        typer.echo("redis      away")
        yield f"Redis doesn't answer ({type(error).__name__}): is it running?"
    else:
        typer.echo(f"redis      answers, {queued} on the queue")


def _waiting(seen: Picture, now: datetime) -> list[str]:
    troubles = []
    paused = {str(pause.queue) for pause in seen.paused}
    for name, waiting in seen.waiting.items():
        age = f", the oldest for {_long(waiting.oldest)}" if waiting.rows else ""
        typer.echo(f"{name:<10} {waiting.rows} waiting{age}")
        if name in HURRIED and name not in paused and waiting.oldest > OLD:
            troubles.append(f"{name}: the oldest has waited since {_at(now - waiting.oldest)}")
    return troubles


def _breakers(seen: Picture, now: datetime) -> list[str]:
    for one in seen.breakers:
        typer.echo(f"breaker    {one.name} {one.state} for {_long(now - one.since)}")
    return [
        f"the breaker around {one.name} is {one.state}: {one.reason}"
        for one in seen.breakers
        if one.state != BreakerState.CLOSED
    ]


def _paused(seen: Picture, now: datetime) -> None:
    for pause in seen.paused:
        age = _long(now - pause.since)
        typer.echo(f"paused     {pause.queue} for {age} by {pause.by}: {pause.reason}")


def _peers(seen: Picture, now: datetime) -> list[str]:
    for peer in seen.peers:
        how = f" ({peer.note})"
        if peer.latency is not None:
            how = f", answers in {peer.latency / timedelta(milliseconds=1):.0f} ms"
        age = _long(now - peer.since)
        typer.echo(f"peer       {peer.name} by {peer.path} {peer.state} for {age}{how}")
    return [_down(peer) for peer in seen.peers if peer.state is PeerState.DOWN]


def _down(peer: Peer) -> str:
    return f"{peer.name} is down by {peer.path} since {_at(peer.since)}: {peer.note}"


def _alerts(database: Database, now: datetime) -> None:
    """The kinds alone: what they say may name a guest."""
    rows = database.all("SELECT kind, created_at FROM alerts ORDER BY id DESC LIMIT ?", (ALERTS,))
    for row in rows:
        age = _long(now - from_ms(row["created_at"]))
        typer.echo(f"alert      {row['kind']} {age} ago")


def _long(duration: timedelta) -> str:
    """``3 d``, ``2 h``, ``5 min`` or ``40 s``."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%d %b %H:%M}"

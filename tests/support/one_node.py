"""The node of one machine, in this process: it leads without the authority, which is gone, and
without the other machine; beside it the real Litestream and Redis. No gateway and no worker."""

import base64
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis

from app.ha.machine import Machine
from app.ha.node import _close, make_machine, turn
from app.settings import Settings
from app.store.database import Row, open_copy
from tests.support.furnished import furnish, settings_of
from tests.support.processes import PATIENCE, Process, eventually, free_port


class OneNode:
    """It, and what it leads with."""

    def __init__(self, directory: Path, redis_port: int, **given: object) -> None:
        key = base64.b64encode(b"h" * 32).decode()
        nowhere = f"127.0.0.1:{free_port()}"
        self.settings: Settings = settings_of(
            directory / "mac",
            node_name="mac",
            redis_url=f"redis://127.0.0.1:{redis_port}/0",
            cloud_key=key,
            ha_authority=f"http://{nowhere}",
            ha_peer="vps",
            ha_peer_urls=f"http://{nowhere}",
            ha_key=key,
            ha_preferred=True,
            ha_replica=f"file://{directory / 'place'}",
            ha_redis_admin_url=f"redis://127.0.0.1:{redis_port}/0",
            ha_redis_peer=nowhere,
            **given,
        )
        furnish(self.settings)
        self.machine: Machine = make_machine(self.settings)

    def lead(self) -> None:
        """Lead, as a person forced it to; returns once the first look is over."""
        self.machine.lease.force()
        self.machine.lease.start()
        self.turn_until(self.is_looked_at, "it leads, and has looked")
        # Litestream's first one is read from the file: a flip before it is replicated, too.
        self.turn_until(self._has_snapshot, "Litestream has its snapshot")

    def turn_until(self, ask: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """The node's turns, until it has come about."""

        def turned() -> object:
            turn(self.machine)
            return ask()

        eventually(turned, what, seconds)

    def is_looked_at(self) -> bool:
        """Whether it leads, and its last look found nothing."""
        return self.machine.parts is not None and self.machine.watch.sound_at is not None

    def look(self) -> None:
        """Look now, as after an hour, until it is known to be sound, or mended so that it is."""
        self.machine.watch.sound_at = None
        self.machine.watch.due = 0
        self.turn_until(self.is_looked_at, "it is looked at")
        self.turn_until(self._has_snapshot, "Litestream has its snapshot")

    def restart(self) -> None:
        """Another begins, where the last one ended; it goes on in its term."""
        self.machine = make_machine(self.settings)
        self.machine.staying.force()
        self.machine.lease.start()

    def stop(self) -> None:
        """End it, in order."""
        self.machine.lease.stop()
        _close(self.machine)

    def _has_snapshot(self) -> bool:
        place = Path(self.settings.ha_replica.removeprefix("file://"))
        return any(place.glob(f"term-{self.term}/ltx/9/*.ltx"))

    @property
    def term(self) -> int:
        """The one that it leads in."""
        return self.machine.standing.now.term

    def rows(self, sql: str) -> list[Row]:
        """What a reader is served."""
        with closing(open_copy(self.settings.database)) as connection:
            return connection.execute(sql).fetchall()


@contextmanager
def one_node(directory: Path, **given: object) -> Iterator[OneNode]:
    """A node, not leading yet."""
    port = free_port()
    server = Process(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)],
        {},
        directory / "redis.log",
    )
    server.start()
    node = None
    try:
        eventually(lambda: _answers(port), "Redis answers")
        node = OneNode(directory, port, **given)
        yield node
    finally:
        if node is not None:
            node.stop()
        server.stop()


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port) as asked:
            return bool(asked.ping())
    except redis.RedisError:
        return False

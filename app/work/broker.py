"""The desk's queue: Dramatiq over Redis, as `app.queueing` has it.

Dramatiq's retries and dead letters are left out: the row is what is retried, by the relay.
"""

from dramatiq.middleware import Middleware, ShutdownNotifications

from app.queueing import WokenBroker, make_client

QUEUE = "desk"
DeskBroker = WokenBroker


def make_broker(url: str, middleware: list[Middleware]) -> DeskBroker:
    """The broker for the Redis at ``url``."""
    return DeskBroker(make_client(url), QUEUE, [ShutdownNotifications(), *middleware])

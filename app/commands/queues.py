"""PAUSE and RESUME."""

from app.commands.office import Done, Office, Order
from app.commands.schemas import Pause, Resume
from app.messages import pausing
from app.store.database import Connection


def pause(_office: Office, connection: Connection, order: Order, payload: Pause) -> Done:
    """Pause a queue; one that is paused stays as it was."""
    paused = pausing.pause(connection, payload.queue, order.client, payload.reason)
    return Done({"queue": payload.queue.value, "changed": paused})


def resume(_office: Office, connection: Connection, _order: Order, payload: Resume) -> Done:
    """Go on with a queue."""
    return Done(
        {"queue": payload.queue.value, "changed": pausing.resume(connection, payload.queue)}
    )

"""Writing down what the cloud is to be told, in the transaction that causes it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from app.events.catalogue import payload_of
from app.sealing import Seal
from app.store.database import Connection, Database, now_ms


class Events:
    """Writes the cloud_events table; ``enabled`` is whether there is a cloud to be told."""

    def __init__(self, database: Database, seal: Seal, enabled: bool) -> None:
        self.database = database
        self.enabled = enabled
        self._seal = seal

    def record(
        self,
        connection: Connection,
        name: str,
        payload: Mapping[str, Any],
        guest: bytes | None = None,
        event_id: str | None = None,
    ) -> str | None:
        """Keep an event until the cloud has it, in the caller's transaction; returns its id.

        Nothing happens without a cloud, nor where ``event_id`` was here: None. ``guest`` is a blind
        index. Raises KeyError for a name that `app.events.catalogue` doesn't have, and
        pydantic.ValidationError for a payload that is not of its schema.
        """
        if not self.enabled:
            return None
        plain = payload_of(name).model_validate(payload).model_dump_json()
        event_id = event_id or uuid4().hex
        sealed = self._seal.seal(plain, f"cloud_events.payload:{event_id}")
        rows = connection.execute(
            _INSERT,
            {"event_id": event_id, "name": name, "guest": guest, "sealed": sealed, "now": now_ms()},
        ).fetchall()
        return event_id if rows else None


_INSERT = """
INSERT INTO cloud_events (event_id, name, guest, sealed_payload, state, created_at, waiting_since)
VALUES (:event_id, :name, :guest, :sealed, 'waiting', :now, :now)
ON CONFLICT DO NOTHING RETURNING id
"""

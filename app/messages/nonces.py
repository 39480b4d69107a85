"""Nonces of signed requests: each is good once."""

from datetime import datetime

from app.store.database import Connection, now_ms, to_ms


def spend(connection: Connection, client: str, nonce: str, expires_at: datetime) -> bool:
    """Whether ``client`` uses ``nonce`` for the first time; in the caller's transaction.

    It is remembered until ``expires_at`` (aware): afterwards the request is too old anyway.
    """
    inserted = connection.execute(
        "INSERT INTO api_nonces (client, nonce, expires_at) VALUES (?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (client, nonce, to_ms(expires_at)),
    )
    return inserted.rowcount == 1


def purge(connection: Connection) -> int:
    """Forget what no longer matters, in the caller's transaction; how many."""
    # A second more than a comparison in milliseconds needs.
    deleted = connection.execute("DELETE FROM api_nonces WHERE expires_at < ?", (now_ms() - 1000,))
    return int(deleted.rowcount)

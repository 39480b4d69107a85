"""Inserting what may be there already: each of the two stores has an INSERT of its own."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cloud_jobs.store.base import Base


def insert_into(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)

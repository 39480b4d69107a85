"""Inserting what may be there already: each of the two stores has an INSERT of its own."""

from functools import cache
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from cloud_jobs.store.base import Base, table


def insert_into(session: Session, of: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(of)
    return postgresql.insert(of)


def add_new(
    session: Session, of: type[Base], rows: list[dict[str, Any]], returning: str
) -> set[Any]:
    """Insert those of the rows that aren't there already; their values of a column.

    All rows have the same keys.
    """
    statement = _adding(session.get_bind().dialect.name, of, returning)
    return set(session.connection().scalars(statement, rows))


@cache
def _adding(dialect: str, of: type[Base], returning: str) -> "ReturningInsert[Any]":
    # Built once: every event and every run passes here.
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    into = table(of)
    return insert(into).on_conflict_do_nothing().returning(into.c[returning])

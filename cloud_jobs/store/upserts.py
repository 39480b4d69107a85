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


def add_up(  # noqa: PLR0913 - a counter has so many parts
    session: Session,
    of: type[Base],
    row: dict[str, Any],
    *,
    keys: tuple[str, ...],
    column: str,
    most: int | None = None,
) -> Any:
    """Insert a row, or add its ``column`` to that of the row with the same ``keys``; what it is.

    None where it was ``most`` or more already: then nothing was added. The row is locked until the
    caller commits.
    """
    statement = _adding_up(session.get_bind().dialect.name, of, keys, column, most)
    return session.connection().scalar(statement, row)


def add_new(
    session: Session, of: type[Base], rows: list[dict[str, Any]], returning: str
) -> set[Any]:
    """Insert those of the rows that aren't there already; their values of a column.

    All rows have the same keys.
    """
    statement = _adding(session.get_bind().dialect.name, of, returning)
    # One row alone takes SQLAlchemy's short way.
    return set(session.connection().scalars(statement, rows if len(rows) > 1 else rows[0]))


@cache
def _adding(dialect: str, of: type[Base], returning: str) -> "ReturningInsert[Any]":
    # Built once: every event and every run passes here.
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    into = table(of)
    return insert(into).on_conflict_do_nothing().returning(into.c[returning])


@cache
def _adding_up(
    dialect: str, of: type[Base], keys: tuple[str, ...], column: str, most: int | None
) -> "ReturningInsert[Any]":
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    into = table(of)
    added = insert(into)
    counted = into.c[column]
    return added.on_conflict_do_update(
        index_elements=[into.c[key] for key in keys],
        set_={column: counted + added.excluded[column]},
        where=None if most is None else counted < most,
    ).returning(counted)

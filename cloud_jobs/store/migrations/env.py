"""How Alembic runs the migrations: on the connection it is given, in its transaction."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.types import TypeDecorator

from cloud_jobs.store.tables import METADATA


def written(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """A type of ours as what it is kept as: it may change, a migration may not."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_item=written,
    # SQLite undoes what changes tables as well, which Alembic doesn't take for granted.
    transactional_ddl=True,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

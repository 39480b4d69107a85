"""What all tables are built on."""

from sqlalchemy import MetaData, Table
from sqlalchemy.orm import DeclarativeBase

# Constraints have names, so that a migration can change them on either store.
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """A table."""

    metadata = MetaData(naming_convention=_NAMES)


def table(of: type[Base]) -> Table:
    """The plain table, for statements that are not about objects."""
    found = of.__table__
    assert isinstance(found, Table)  # it is mapped to one
    return found

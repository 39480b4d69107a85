"""The desk's database, for commands of people: on the node that leads, and made on no other."""

from app.leading import Role, leadership_of
from app.settings import Settings
from app.store.database import Database, StoreError, open_database


def desk_database(settings: Settings) -> Database:
    """Open it.

    Raises :class:`StoreError`, also on a node that stands by.
    """
    see_that_it_leads(settings)
    return open_database(settings.database)


def see_that_it_leads(settings: Settings) -> None:
    """Raise :class:`StoreError` on a node that stands by.

    It has copies, and a database made beside them would be taken for one that led.
    """
    standing = leadership_of(settings).standing()
    if standing.role is Role.LEADER:
        return
    leader = standing.leader if standing.leader != settings.node_name else None
    where = f"{leader} leads: ask there" if leader else "nobody is known to lead"
    raise StoreError(
        f"{settings.node_name} doesn't lead and has no database to ask; {where}. "
        "How things stand: portiere ha status"
    )

"""What the upsell agent remembers of the offers it asked for."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Moment


class Upsell(Base):
    """An offer that the desk was asked to make, at most once a stay and kind.

    ``state``: asked, made (then ``request_id`` is the desk's number of it), refused (``reason``).
    ``explored``: it was chosen to learn something, not for its score. Nothing here is of a guest:
    ``booking_id`` is the desk's number of the stay.
    """

    __tablename__ = "upsells"

    booking_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    command_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(40))
    request_id: Mapped[int | None] = mapped_column(index=True)
    explored: Mapped[bool] = mapped_column(default=False)
    asked_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_upsells_state", "state", "kind"),)

"""What was used and what it cost."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Key, Moment, Money


class Metered(Base):
    """One use of something that costs: ``quantity`` units of ``item`` (of costs.yml).

    ``key`` makes it count once; ``amount`` is what all units cost together, in ``currency``.
    ``day`` is YYYY-MM-DD in the property's time zone.
    """

    __tablename__ = "metered"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(200))
    item: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(Moment)
    day: Mapped[str] = mapped_column(String(10))
    quantity: Mapped[int]
    unit_price: Mapped[Decimal] = mapped_column(Money)
    amount: Mapped[Decimal] = mapped_column(Money)
    currency: Mapped[str] = mapped_column(String(3))
    run_id: Mapped[str | None] = mapped_column(String(32))
    job: Mapped[str | None] = mapped_column(String(60))

    __table_args__ = (UniqueConstraint("key"), Index("ix_metered_day", "day", "item"))


class Used(Base):
    """How much of an allowance (or of an item without one) a day or month of UTC has used.

    ``used`` is in units, or in the money that the allowance is given in.
    """

    __tablename__ = "used"

    pot: Mapped[str] = mapped_column(String(60), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    used: Mapped[Decimal] = mapped_column(Money)

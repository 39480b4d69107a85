"""Alerts to the people at the desk, and their deliveries."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Key, Moment


class What(StrEnum):
    """What a delivery tells."""

    RAISED = "raised"
    RESOLVED = "resolved"


class Told(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"  # one of too many: told of with the others


_OPEN: Final = text("resolved_at IS NULL")


class Alert(Base):
    """Something that is wrong: one open alert of a ``key``, however often it is found.

    ``text`` is sealed: ``alerts.text:<key>``.
    """

    __tablename__ = "alerts"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(200), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    text: Mapped[bytes] = mapped_column(LargeBinary)
    urgent: Mapped[bool]
    raised_at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)
    times: Mapped[int] = mapped_column(default=1)
    resolved_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        Index("uq_alerts_open", "key", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_alerts_raised", "raised_at"),
    )


class AlertDelivery(Base):
    """One alert, or that it is over (``what``), for one channel."""

    __tablename__ = "alert_deliveries"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    alert: Mapped[int] = mapped_column(ForeignKey("alerts.seq"), index=True)
    what: Mapped[str] = mapped_column(String(10))
    channel: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))  # one of Told
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(Moment)
    note: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_alert_deliveries_due", "state", "next_at"),)


class Watched(Base):
    """How somebody is whose signs of life are watched for; see `cloud_jobs.alerts.health`."""

    __tablename__ = "watched"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    health: Mapped[str] = mapped_column(String(10))
    since: Mapped[datetime] = mapped_column(Moment)
    heard_at: Mapped[datetime | None] = mapped_column(Moment)
    missed: Mapped[int] = mapped_column(default=0)
    signs: Mapped[int] = mapped_column(default=0)
    # By the other's own clock: only whether it moves on is looked at.
    last_signed: Mapped[datetime | None] = mapped_column(Moment)

"""What is known of the desk from its events: guests by their index, stays, requests, turns."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Date, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Moment, Money


class KnownGuest(Base):
    """A guest, by the blind index in hex; gone once the desk has erased them."""

    __tablename__ = "known_guests"

    guest: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str | None] = mapped_column(String(2))
    time_zone: Mapped[str | None] = mapped_column(String(60))
    consent: Mapped[str] = mapped_column(String(10))
    known_at: Mapped[datetime] = mapped_column(Moment)
    told_at: Mapped[datetime] = mapped_column(Moment)  # when the newest told event happened


class ErasedGuest(Base):
    """That a guest was erased, and when: by the SHA-256 of their index, which leads to nobody."""

    __tablename__ = "erased_guests"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(Moment)


class KnownStay(Base):
    """A booking, by the channel and its number there."""

    __tablename__ = "known_stays"

    channel: Mapped[str] = mapped_column(String(100), primary_key=True)
    code: Mapped[str] = mapped_column(String(100), primary_key=True)
    booking_id: Mapped[int] = mapped_column(index=True)  # the desk's number of it
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    status: Mapped[str] = mapped_column(String(12))  # requested, confirmed, cancelled, ended
    unit: Mapped[str | None] = mapped_column(String(200))
    arrival: Mapped[date | None] = mapped_column(Date)
    departure: Mapped[date | None] = mapped_column(Date)
    party: Mapped[int | None]
    flight_number: Mapped[str | None] = mapped_column(String(10))
    booked_at: Mapped[datetime] = mapped_column(Moment)
    told_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_known_stays_arrival", "arrival", "status"),
        Index("ix_known_stays_departure", "departure", "status"),
    )


class KnownRequest(Base):
    """What a guest asked for or was offered: made, offered, accepted, declined, expired, closed."""

    __tablename__ = "known_requests"

    request_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12))
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    booking_id: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Money)
    currency: Mapped[str | None] = mapped_column(String(3))
    outcome: Mapped[str | None] = mapped_column(String(10))  # done or refused, once it is closed
    was_offered: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime] = mapped_column(Moment)
    told_at: Mapped[datetime] = mapped_column(Moment)


class KnownTurn(Base):
    """A guest's message and its answer: what it was about and how long it took, not its words."""

    __tablename__ = "known_turns"

    inbox_id: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    received_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    intent: Mapped[str | None] = mapped_column(String(30))
    language: Mapped[str | None] = mapped_column(String(2))
    agent: Mapped[str | None] = mapped_column(String(30))
    silent: Mapped[bool] = mapped_column(default=False)


class KnownMessage(Base):
    """A message of ours and how far it got; what it costs goes by ``sent_as``, purpose, country."""

    __tablename__ = "known_messages"

    outbox_id: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    template: Mapped[str | None] = mapped_column(String(50))
    sent_as: Mapped[str | None] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(2))
    purpose: Mapped[str | None] = mapped_column(String(12))
    country: Mapped[str | None] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(10))  # sent, delivered, read, failed, refused
    told_at: Mapped[datetime] = mapped_column(Moment, index=True)

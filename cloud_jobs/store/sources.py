"""What the sources remember: mails, reservations, bookings of Smoobu, flights, weather warnings."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Key, Moment


class Mailbox(Base):
    """How far a folder of a mailbox has been read; UIDs mean nothing under another validity.

    ``seen_at`` is when the folder was last looked into to its end.
    """

    __tablename__ = "mailboxes"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger)  # 32 bits without a sign, as UIDs are
    last_uid: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime] = mapped_column(Moment)


class Mail(Base):
    """A mail that came, once by the digest of its bytes.

    ``verdict``: reservation, nothing, person, or settled by one; ``reason`` says why. ``raw`` is
    kept, sealed (``mails.raw:<digest>``, its bytes as Latin-1), while the mail has not been read
    and while a person must look. If it isn't ``whole``, that is its header only; ``size`` is in
    bytes, and the whole mail's.
    """

    __tablename__ = "mails"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    mailbox: Mapped[str] = mapped_column(String(200))
    uid_validity: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(Moment)
    kept_at: Mapped[datetime] = mapped_column(Moment)
    size: Mapped[int] = mapped_column(BigInteger)
    whole: Mapped[bool]
    verdict: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(40))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("ix_mails_verdict", "verdict", "received_at"),
        Index("ix_mails_uid", "mailbox", "uid_validity", "uid"),
    )


class ReservationMail(Base):
    """What one mail told of a booking.

    ``facts`` is sealed: ``reservation_mails.facts:<digest>``.
    """

    __tablename__ = "reservation_mails"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    numbered_by: Mapped[str] = mapped_column(String(100))
    code: Mapped[str] = mapped_column(String(100))
    received_at: Mapped[datetime] = mapped_column(Moment)
    facts: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_reservation_mails_booking", "numbered_by", "code"),)


class ToldBooking(Base):
    """What the desk has been told of a booking, by mails and by Smoobu together.

    ``told_at`` is of the newest that told of it. ``facts`` is sealed, and has the guest:
    ``told_bookings.facts:<channel>:<code>``. ``welcomed``: the welcome was asked for.
    """

    __tablename__ = "told_bookings"

    channel: Mapped[str] = mapped_column(String(100), primary_key=True)
    code: Mapped[str] = mapped_column(String(100), primary_key=True)
    told_at: Mapped[datetime] = mapped_column(Moment, index=True)
    welcomed: Mapped[bool] = mapped_column(default=False)
    facts: Mapped[bytes] = mapped_column(LargeBinary)


class SmoobuBooking(Base):
    """The newest that Smoobu told of a booking; ``digest`` is of what matters to us."""

    __tablename__ = "smoobu_bookings"

    smoobu_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(100))
    code: Mapped[str] = mapped_column(String(100))
    modified_at: Mapped[str] = mapped_column(String(30))
    digest: Mapped[str] = mapped_column(String(64))
    told_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_smoobu_bookings_booking", "channel", "code"),)


class Flight(Base):
    """One flight of one day, as long as guests arrive by it."""

    __tablename__ = "flights"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    number: Mapped[str] = mapped_column(String(10))  # without spaces: AZ1572
    day: Mapped[date] = mapped_column(Date)  # of arrival, at the airport
    fa_flight_id: Mapped[str | None] = mapped_column(String(80))
    scheduled_in: Mapped[datetime | None] = mapped_column(Moment)
    expected_in: Mapped[datetime | None] = mapped_column(Moment)
    told_in: Mapped[datetime | None] = mapped_column(Moment)  # the arrival that guests know of
    changes: Mapped[int] = mapped_column(default=0)  # how often they were told of another
    landed: Mapped[bool] = mapped_column(default=False)
    cancelled: Mapped[bool] = mapped_column(default=False)
    asked_at: Mapped[datetime | None] = mapped_column(Moment)
    ask_at: Mapped[datetime | None] = mapped_column(Moment)  # None: not any more

    __table_args__ = (UniqueConstraint("number", "day"), Index("ix_flights_due", "ask_at"))


class WeatherWarning(Base):
    """A warning that guests were told of; ``ends_at`` is the end that they know.

    ``event`` is what it warns of, as `cloud_jobs.sources.weather_words` calls it; ``key`` is of
    that and of when it was to begin. ``level``: 0 (not said), 1 to 3.
    """

    __tablename__ = "weather_warnings"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    event: Mapped[str] = mapped_column(String(200), index=True)
    level: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    first_seen: Mapped[datetime] = mapped_column(Moment)
    last_seen: Mapped[datetime] = mapped_column(Moment)


class SourceRead(Base):
    """Up to when a source has been read."""

    __tablename__ = "source_reads"

    source: Mapped[str] = mapped_column(String(30), primary_key=True)
    read_at: Mapped[datetime] = mapped_column(Moment)


class ServiceCalls(Base):
    """How often a service was asked on a day of UTC, which is what its free calls go by."""

    __tablename__ = "service_calls"

    service: Mapped[str] = mapped_column(String(30), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    calls: Mapped[int]

"""What comes in and what goes out: events, commands to the desk, nonces, the audit, the lease."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_jobs.store.base import Base
from cloud_jobs.store.columns import Key, Moment


class InboundEvent(Base):
    """Something that happened, once by its ``event_id``.

    ``source`` is the client that told it (``mac``), or of our own: ``mail``, ``smoobu``, ``job``.
    ``guest`` is the blind index in hex. ``payload`` is sealed:
    ``inbound_events.payload:<event_id>``.
    """

    __tablename__ = "inbound_events"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    event_id: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(String(40))
    guest: Mapped[str | None] = mapped_column(String(64), index=True)
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    received_at: Mapped[datetime] = mapped_column(Moment)
    payload: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index("ix_inbound_events_name", "name", "seq"),)


class Command(Base):
    """Something the desk is to do: offered until it has told what came of it.

    ``state``: offered, done, failed. ``payload`` and ``result`` are sealed:
    ``commands.payload:<command_id>``, ``commands.result:<command_id>``.
    """

    __tablename__ = "commands"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    command_id: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(40))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    run_id: Mapped[str | None] = mapped_column(String(32), index=True)
    state: Mapped[str] = mapped_column(String(10))
    issued_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    result: Mapped[bytes | None] = mapped_column(LargeBinary)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_commands_offered", "state", "seq"),)


class Nonce(Base):
    """A nonce of a signed request: good once."""

    __tablename__ = "nonces"

    client: Mapped[str] = mapped_column(String(40), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class AuditEntry(Base):
    """Who asked for a change; nothing of a guest."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    actor: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(60))
    target: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(60))
    request_id: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))


class LeaseRow(Base):
    """Who leads the desk, and in which term: one row, ``name`` is 'desk'.

    Until when stands nowhere: only the memory of the API's process counts time. ``begun`` is the
    last term in which a holder said that it leads.
    """

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    term: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str] = mapped_column(String(40))
    begun: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Moment)

"""Mails as they are kept: opened, read, and what waits for a person."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.alerts.raising import resolve
from cloud_jobs.mail.merging import newest_wins
from cloud_jobs.mail.results import Reservation
from cloud_jobs.store.alerts import Alert
from cloud_jobs.store.sources import Mail, ReservationMail
from cloud_jobs.store.upserts import insert_into

FOR_A_PERSON: Final = "mail_for_a_person"
"""The kind of the alert that mails wait."""
UNREAD_LONG: Final = timedelta(hours=1)
_facts: Final = TypeAdapter(Reservation)


class Verdict(StrEnum):
    """What became of a mail; None in the table: nobody has read it yet."""

    RESERVATION = "reservation"
    NOTHING = "nothing"
    PERSON = "person"  # it waits for one
    SETTLED = "settled"  # by one


def sealed_raw(seal: Seal, digest: str, raw: bytes) -> bytes:
    """A mail's bytes as the table has them."""
    return seal.seal(raw.decode("latin-1"), f"mails.raw:{digest}")


def raw_of(seal: Seal, mail: Mail) -> bytes | None:
    """The bytes, of one that isn't whole its header's; None once they are dropped."""
    if mail.raw is None:
        return None
    return seal.open(mail.raw, f"mails.raw:{mail.digest}").encode("latin-1")


def note_verdict(session: Session, digest: str, verdict: Verdict, reason: str | None) -> None:
    """Keep what a mail is. Its bytes stay only where a person must look."""
    values = {"verdict": verdict, "reason": reason}
    if verdict is not Verdict.PERSON:
        values["raw"] = None
    session.execute(update(Mail).where(Mail.digest == digest).values(values))


def keep_reservation(session: Session, seal: Seal, mail: Mail, found: Reservation) -> None:
    """Keep what a mail tells of a booking."""
    facts = _facts.dump_json(found).decode()
    row = {
        "digest": mail.digest,
        "numbered_by": found.numbered_by,
        "code": found.code,
        "received_at": found.received_at or mail.received_at,
        "facts": seal.seal(facts, f"reservation_mails.facts:{mail.digest}"),
    }
    session.execute(insert_into(session, ReservationMail).values(row).on_conflict_do_nothing())


def reservation_of(session: Session, seal: Seal, digest: str) -> Reservation | None:
    """What a mail told of a booking, if it is a reservation."""
    row = session.get(ReservationMail, digest)
    return None if row is None else _open(seal, row)


def booking_of(session: Session, seal: Seal, found: Reservation) -> Reservation:
    """The booking of ``found`` as all its mails together tell it: the newest wins."""
    rows = session.scalars(
        select(ReservationMail)
        .where(ReservationMail.numbered_by == found.numbered_by, ReservationMail.code == found.code)
        .order_by(ReservationMail.received_at, ReservationMail.digest)
    )
    return newest_wins([*(_open(seal, row) for row in rows)] or [found])


def waiting(session: Session, now: datetime) -> Sequence[Mail]:
    """The mails that a person must look at, the oldest first.

    Also those that have no verdict for :data:`UNREAD_LONG`: the job failed, or its queue is paused.
    """
    unread = and_(Mail.verdict.is_(None), Mail.kept_at < now - UNREAD_LONG)
    query = select(Mail).where(or_(Mail.verdict == Verdict.PERSON, unread))
    return session.scalars(query.order_by(Mail.received_at, Mail.digest)).all()


def alert_key(reason: str, day: date) -> str:
    """One alert a day for each reason: whoever sends frauds must not make the desk deaf."""
    return f"{FOR_A_PERSON}:{reason}:{day}"


def settle(session: Session, mail: Mail, now: datetime) -> None:
    """A person has seen to it: its words are dropped, and the alert is over with the last one."""
    note_verdict(session, mail.digest, Verdict.SETTLED, mail.reason)
    if any(one.reason == mail.reason for one in waiting(session, now)):
        return
    keys = select(Alert.key).where(
        Alert.resolved_at.is_(None), Alert.key.startswith(f"{FOR_A_PERSON}:{mail.reason}:")
    )
    for key in session.scalars(keys).all():
        resolve(session, key=key, now=now)


def begins_with(session: Session, digest: str) -> Sequence[Mail]:
    """The mails whose digest begins so: two at most."""
    query = select(Mail).where(Mail.digest.startswith(digest, autoescape=True)).limit(2)
    return session.scalars(query).all()


def _open(seal: Seal, row: ReservationMail) -> Reservation:
    return _facts.validate_json(seal.open(row.facts, f"reservation_mails.facts:{row.digest}"))

"""Guests as the desk has told of them: by their blind index, in hex."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.store.known import KnownGuest


def find(session: Session, guest: str) -> KnownGuest | None:
    """What is known of a guest."""
    return session.get(KnownGuest, guest)


def language_of(session: Session, guest: str) -> str | None:
    """The language that a guest reads (ISO 639-1), if that is known."""
    return session.scalar(select(KnownGuest.language).where(KnownGuest.guest == guest))


def languages_of(session: Session, guests: Iterable[str]) -> Mapping[str, str]:
    """The same for many; who isn't known, or whose language isn't, is left out."""
    rows = session.execute(
        select(KnownGuest.guest, KnownGuest.language).where(KnownGuest.guest.in_(list(guests)))
    )
    return {guest: language for guest, language in rows if language is not None}

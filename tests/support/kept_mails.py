"""Mails in the cloud's store, as the mailbox's listener puts them there."""

from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select

from cloud_jobs.known.mails import sealed_raw
from cloud_jobs.store.sources import Mail
from tests.support.cloud_layer import Layer

RECEIVED_AT = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)


def arrive(layer: Layer, raw: bytes, *, whole: bool = True) -> str:
    """Keep a mail and tell of it; its digest."""
    digest = keep(layer, raw, whole=whole)
    layer.tell("mail.arrived", {"digest": digest}, event_id=f"mail:{digest}")
    return digest


def keep(layer: Layer, raw: bytes, *, whole: bool = True) -> str:
    """Keep a mail; its digest."""
    digest = sha256(raw).hexdigest()
    mail = Mail(
        digest=digest,
        mailbox="test",
        uid_validity=1,
        uid=1,
        received_at=RECEIVED_AT,
        kept_at=RECEIVED_AT,
        size=len(raw),
        whole=whole,
        raw=sealed_raw(layer.seal, digest, raw),
    )
    with layer.store.writing() as session:
        session.add(mail)
    return digest


def kept(layer: Layer, digest: str) -> Mail:
    """A mail's row."""
    with layer.store.reading() as session:
        return session.scalars(select(Mail).where(Mail.digest == digest)).one()

"""A folder's new mails are kept, each as a row with its event, in one transaction.

What has been read is known by the store alone: marks in the mailbox are for people. A pass that is
cut short is done again from its beginning, past what it kept.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.sealing import Seal
from cloud_jobs.known.mails import sealed_raw
from cloud_jobs.runtime.events import Event
from cloud_jobs.sources.mailbox import MAILBOX_ERRORS, Arrived, Folder
from cloud_jobs.store.database import Store
from cloud_jobs.store.sources import Mail, Mailbox
from cloud_jobs.store.upserts import insert_into

ARRIVED: Final = "mail.arrived"
Take = Callable[[Session, Event], object]
"""Takes an event in the transaction that it is given; dispatches what it starts after that."""

FIRST_LOOK: Final = timedelta(days=30)
"""Of a mailbox that is new to us, what nobody has read for so long back is taken."""
# What came while the folder's numbers changed; a day more, for IMAP searches by the server's day.
_SLACK: Final = timedelta(days=2)
# A mail that its server can't give, or breaks off at, so often is not waited for any longer.
_TRIES: Final = 5


class Intake:
    """Takes in the mails of one mailbox, ``name``. Raises MAILBOX_ERRORS and StoreUnavailable."""

    def __init__(self, name: str, store: Store, seal: Seal, take: Take) -> None:
        self._name = name
        self._store = store
        self._seal = seal
        self._take = take
        self._tries: dict[int, int] = {}

    def look(self, folder: Folder) -> int:
        """Take in all that is new; how many mails were looked at."""
        now = datetime.now(UTC)
        folder.begin_look()
        uids, last = self._new(folder, now)
        kept = self._kept(folder, uids)
        for uid in uids:
            if uid not in kept:
                self._take_in(folder, uid)
        folder.mark(uids)
        with self._store.writing() as session:
            place = Mailbox(
                name=self._name, uid_validity=folder.uid_validity, last_uid=last, seen_at=now
            )
            session.merge(place)
        self._tries.clear()
        return len(uids)

    def _new(self, folder: Folder, now: datetime) -> tuple[list[int], int]:
        """The mails to be looked at, and the last one behind which to go on."""
        with self._store.reading() as session:
            place = session.get(Mailbox, self._name)
        if place is not None and place.uid_validity == folder.uid_validity:
            uids = folder.after(place.last_uid)
            return uids, max(uids, default=place.last_uid)
        last = folder.highest()
        if place is None:
            uids = folder.since((now - FIRST_LOOK).date(), unseen=True)
        else:
            uids = folder.since((place.seen_at - _SLACK).date(), unseen=False)
        return [uid for uid in uids if uid <= last], last

    def _kept(self, folder: Folder, uids: list[int]) -> set[int]:
        """Those of ``uids`` that an earlier pass kept."""
        if not uids:
            return set()
        kept = select(Mail.uid).where(
            Mail.mailbox == self._name,
            Mail.uid_validity == folder.uid_validity,
            Mail.uid >= uids[0],
        )
        with self._store.reading() as session:
            return set(session.scalars(kept))

    def _take_in(self, folder: Folder, uid: int) -> None:
        self._tries[uid] = self._tries.get(uid, 0) + 1
        try:
            mail = folder.fetch(uid)
        except MAILBOX_ERRORS:
            if self._tries[uid] < _TRIES:
                raise
            # A person has to open it in the mailbox itself; those behind it must not wait.
            mail = Arrived(uid, datetime.now(UTC), size=0, raw=b"", whole=False)
        if mail is not None:
            self._keep(folder, mail)

    def _keep(self, folder: Folder, mail: Arrived) -> None:
        """The row and its event, both or neither; nothing if these bytes came before."""
        digest = self._digest(folder, mail)
        row = {
            "digest": digest,
            "mailbox": self._name,
            "uid_validity": folder.uid_validity,
            "uid": mail.uid,
            "received_at": mail.received_at,
            "kept_at": datetime.now(UTC),
            "size": mail.size,
            "whole": mail.whole,
            "raw": sealed_raw(self._seal, digest, mail.raw),
        }
        event = Event(
            event_id=f"mail:{digest}",
            name=ARRIVED,
            source="mail",
            occurred_at=mail.received_at,
            payload={"digest": digest},
        )
        with self._store.writing() as session:
            kept = insert_into(session, Mail).values(row).on_conflict_do_nothing()
            if session.execute(kept.returning(Mail.digest)).first() is not None:
                self._take(session, event)

    def _digest(self, folder: Folder, mail: Arrived) -> str:
        """Of the mail's bytes; where they aren't all there, of its place in the mailbox as well."""
        place = b"" if mail.whole else f"{self._name} {folder.uid_validity} {mail.uid}\n".encode()
        return sha256(place + mail.raw).hexdigest()

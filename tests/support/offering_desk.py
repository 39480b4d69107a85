"""A desk that is asked for offers: what app/commands/upsell.py does, on the tables of the cloud.

It can show what the cloud asks for, when, and what it makes of the answers. It can't show that the
desk itself keeps to these rules; tests/unit/commands does.
"""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.agents.wanting import Kind
from cloud_jobs.exchange import commands
from cloud_jobs.exchange.commands import CommandState
from cloud_jobs.store.known import KnownGuest, KnownRequest
from tests.support import known_rows as rows
from tests.support.cloud_layer import Layer

PRICED: Final = (Kind.LATE_CHECKOUT, Kind.TRANSFER, Kind.EARLY_CHECKIN)
Asked = tuple[str, int, str]
"""Guest, booking, kind."""


class OfferingDesk:
    """Refuses, or makes the offer; with a price for the kinds `PRICED`."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.made: list[Asked] = []
        self.refused: Counter[str] = Counter()

    def offered(self) -> list[Asked]:
        """What it is asked for and has not done."""
        with self.layer.store.reading() as session:
            return [self._read(command) for command in commands.offered(session, 100)]

    def work(self, now: datetime) -> None:
        """Do all that is asked, and tell of it."""
        with self.layer.store.writing() as session:
            for command in commands.offered(session, 100):
                asked = self._read(command)
                refusal = self._refusal(session, *asked)
                if refusal is None:
                    self.made.append(asked)
                    session.add(_offer(1000 + len(self.made), asked, now))
                else:
                    self.refused[refusal] += 1
                commands.settle(
                    session,
                    self.layer.seal,
                    command_id=command.command_id,
                    state=CommandState.DONE if refusal is None else CommandState.FAILED,
                    result={"request_id": 1000 + len(self.made), "queued": [1]},
                    error={"code": refusal, "detail": ""},
                    now=now,
                )

    def _read(self, command: Any) -> Asked:
        payload = commands.payload_of(self.layer.seal, command)
        return payload["guest"], int(payload["booking"]["code"].removeprefix("B-")), payload["kind"]

    def _refusal(self, session: Session, guest: str, booking: int, kind: str) -> str | None:
        if kind not in PRICED:
            return "not_offered"
        if consent_of(session, guest) != "given":
            return "no_consent"
        if kind in {one.kind for one in requests_of(session, booking)}:
            return "offered_before"
        return "another_offer" if has_open_offer(session, guest) else None


def _offer(number: int, asked: Asked, now: datetime) -> KnownRequest:
    guest, booking, kind = asked
    return rows.request(
        number, kind, "offered", guest=guest, booking_id=booking, made_at=now, told_at=now
    )


def consent_of(session: Session, guest: str) -> str | None:
    return session.scalar(select(KnownGuest.consent).where(KnownGuest.guest == guest))


def requests_of(session: Session, booking: int) -> list[KnownRequest]:
    query = select(KnownRequest).where(KnownRequest.booking_id == booking)
    return list(session.scalars(query))


def has_open_offer(session: Session, guest: str) -> bool:
    query = select(KnownRequest).where(KnownRequest.guest == guest, KnownRequest.state == "offered")
    return session.scalars(query).first() is not None


def keep(layer: Layer, *found: Any) -> None:
    with layer.store.writing() as session:
        session.add_all(found)

"""The invented mails of tests/samples/mail, and what each is to be read as."""

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cloud_jobs.mail.reading import read
from cloud_jobs.mail.results import ForAPerson, Reservation, Result

FOLDER = Path(__file__).parents[1] / "samples/mail"
# How the mail server of the samples calls itself.
AUTHSERV_ID = "mx.desk.invalid"


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.eml"))


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()


def with_a_phone(arrival: date) -> bytes:
    """A booking of this hour, for three nights from ``arrival``; its guest can be written to."""
    sent = format_datetime(datetime.now(UTC) - timedelta(minutes=1))
    departure = arrival + timedelta(days=3)
    found = raw("scidoo_it_new").replace(b"15/01/2027", f"{arrival:%d/%m/%Y}".encode())
    found = found.replace(b"Fri, 20 Nov 2026 10:00:00 +0100", sent.encode())
    return found.replace(b"18/01/2027", f"{departure:%d/%m/%Y}".encode())


def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def reading(name: str) -> Result:
    return read(raw(name), authserv_id=AUTHSERV_ID)


def reservation(name: str) -> Reservation:
    found = reading(name)
    assert isinstance(found, Reservation)
    return found


def as_json(result: Result) -> dict[str, Any]:
    """As the files beside the mails have it: what is None is left out, but for the date."""
    fields = {
        name: _plain(value)
        for name, value in dataclasses.asdict(result).items()
        if value is not None
    }
    if isinstance(result, Reservation):
        received = {"received_at": fields.get("received_at")}
        return {"result": "reservation", **fields, "thin": result.thin, **received}
    kind = "for_a_person" if isinstance(result, ForAPerson) else "not_a_reservation"
    return {"result": kind, **fields}


def _plain(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | str) else value

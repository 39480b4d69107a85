"""The invented mails of tests/samples/mail, and what each is to be read as."""

import dataclasses
import json
from datetime import date, datetime
from decimal import Decimal
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

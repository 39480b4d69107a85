"""``portiere cloud mails`` and ``portiere cloud mail``: what nobody but a person can make out."""

import json
import sys
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Annotated

import typer

from app.sealing import Seal
from cloud_jobs import settings as configuration
from cloud_jobs.cli_runs import open_store
from cloud_jobs.known import mails as kept
from cloud_jobs.known.mails import Verdict
from cloud_jobs.store.database import Store
from cloud_jobs.store.sources import Mail

SHORT = 12
"""How much of a digest is shown, and enough to name a mail by."""
_SHOWN = ("From", "Subject", "Date")
Digest = Annotated[str, typer.Argument(help="The mail's digest, or how it begins.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, a line each.")]


def mails(as_json: AsJson = False) -> None:
    """Show the mails that wait for a person, and why; nothing of what they say."""
    found = configuration.load()
    with open_store(found).reading() as session:
        rows = kept.waiting(session, datetime.now(UTC))
    for row in rows:
        if as_json:
            typer.echo(json.dumps(_line(row)))
            continue
        at = row.received_at.astimezone(found.zone)
        typer.echo(f"{row.digest[:SHORT]}  {at:%d %b %H:%M}  {row.size:>9,} bytes  {_reason(row)}")


def mail(
    digest: Digest,
    raw: Annotated[bool, typer.Option("--raw", help="Its bytes, as they came.")] = False,
    done: Annotated[bool, typer.Option("--done", help="It is seen to: drop its words.")] = False,
) -> None:
    """Show a mail that waits for a person: who it says it is from, and what about."""
    found = configuration.load()
    store = open_store(found)
    row = _named(store, digest)
    if done:
        with store.writing() as session:
            kept.settle(session, row, datetime.now(UTC))
        typer.echo(f"{row.digest[:SHORT]} is settled; its words are dropped.")
        return
    words = kept.raw_of(Seal(found.seal_key_bytes, b""), row) or b""
    if raw:
        sys.stdout.buffer.write(words)
        return
    for line in _head(row, words):
        typer.echo(line)


def _named(store: Store, digest: str) -> Mail:
    with store.reading() as session:
        matching = kept.begins_with(session, digest.lower())
    if len(matching) != 1:
        which = "more than one mail begins" if matching else "no mail begins"
        raise typer.BadParameter(f"{which} with {digest}: portiere cloud mails")
    (row,) = matching
    if row.verdict not in {Verdict.PERSON, None}:
        raise typer.BadParameter(f"it doesn't wait for a person, it was found to be: {row.verdict}")
    return row


def _reason(row: Mail) -> str:
    return row.reason or "not_read"


def _head(row: Mail, words: bytes) -> list[str]:
    """What tells which mail it is. Signs that would steer the terminal are left out."""
    message = message_from_bytes(words, policy=policy.compat32)
    said = {name: message[name] for name in _SHOWN if message[name] is not None}
    shown = [f"{name}: {_decoded(str(value))}" for name, value in said.items()]
    clean = ["".join(sign for sign in line if sign.isprintable()) for line in shown]
    if not row.whole:
        clean.append("Only the header was fetched: open the rest in the mailbox itself.")
    return [f"Digest: {row.digest}", f"Reason: {_reason(row)}", *clean]


def _decoded(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):  # written wrongly, or to mislead
        return value


def _line(row: Mail) -> dict[str, object]:
    return {
        "digest": row.digest,
        "received_at": row.received_at.isoformat(),
        "size": row.size,
        "whole": row.whole,
        "reason": _reason(row),
    }

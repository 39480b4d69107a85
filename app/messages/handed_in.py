"""What the present leader makes of what a former one's database had of messages.

An event that the other answered is answered once more here, for this file knows nothing of that.
What the other sent is therefore told first: the answer's key then stands in `app.messages.echoes`,
and it isn't sent again.
"""

from typing import Final

from app.messages.doubt import TAKEN_OVER
from app.messages.events import Delivery, StatusReport
from app.messages.handed_over import Held, Message, SendOutcome, ToldEvent
from app.messages.settling import MovedHook, settle
from app.messages.unfinished import Patience
from app.store.database import Connection, Row, milliseconds, now_ms
from app.store.handed import Verdict


def settle_outcome(
    connection: Connection, one: SendOutcome, patience: Patience, on_moved: MovedHook
) -> Verdict:
    """Believe what became of a message, in the caller's transaction; forward only.

    If there is no such message here yet, what is made of its event must not go again: that is what
    `app.messages.echoes` sees to.
    """
    rows = connection.execute(
        "SELECT guest, state, provider_id, attempts FROM outbox WHERE idempotency_key = ?",
        (one.idempotency_key,),
    ).fetchall()
    if not rows and one.state == "unknown" and patience.resend:
        return Verdict.KNOWN  # its event is in doubt, too: then its echo is waited for
    if rows and (verdict := _stands(rows[0], one)) is not None:
        return verdict
    return settle_report(connection, _report(one), on_moved)


def settle_report(connection: Connection, report: StatusReport, on_moved: MovedHook) -> Verdict:
    """Apply a report, in the caller's transaction; one on an unknown message is remembered."""
    before = connection.total_changes
    settle(connection, report, on_moved)
    return Verdict.KNOWN if connection.total_changes == before else Verdict.SETTLED


def received_then(connection: Connection, row_id: int, received_at: int) -> None:
    """An event that was just kept came earlier: a guest's 24 hours count from then."""
    connection.execute(
        "UPDATE inbox SET received_at = min(received_at, ?) WHERE id = ?", (received_at, row_id)
    )


def keep_message(
    connection: Connection, one: Message, patience: Patience
) -> tuple[Verdict, int | None]:
    """Keep a message unless it is here, in the caller's transaction; its row if it is to go."""
    now = now_ms()
    in_doubt = one.state in ("sending", "unknown")
    values = {
        **one.model_dump(),
        "state": "unknown" if in_doubt else one.state,
        "note": TAKEN_OVER if in_doubt else one.note,
        "next_at": now + milliseconds(patience.echo_wait if in_doubt else patience.grace),
    }
    rows = connection.execute(_KEEP_MESSAGE, values).fetchall()
    if rows:
        return Verdict.NEW, int(rows[0]["id"]) if one.state == "pending" else None
    return Verdict.KNOWN, None


def keep_held(connection: Connection, one: Held) -> Verdict:
    """A person speaks with the guest, in the caller's transaction; unless a conversation is here,
    or the guest was erased."""
    if connection.execute(_KEEP_HELD, one.model_dump()).rowcount == 1:
        return Verdict.NEW
    rows = connection.execute(
        "SELECT holder FROM conversations WHERE guest = ?", (one.guest,)
    ).fetchall()
    return Verdict.DIFFERS if rows and rows[0]["holder"] != "person" else Verdict.KNOWN


def keep_told(connection: Connection, one: ToldEvent) -> Verdict:
    """Keep what a tool told the cloud unless it is here, in the caller's transaction."""
    rows = connection.execute(_KEEP_TOLD, {**one.model_dump(), "now": now_ms()})
    return Verdict.NEW if rows.rowcount == 1 else Verdict.KNOWN


def _stands(row: Row, one: SendOutcome) -> Verdict | None:
    """What to say of an outcome that changes nothing; None if it does."""
    if bytes(row["guest"]) != one.guest:
        return Verdict.DIFFERS
    if one.provider_id and row["provider_id"] and row["provider_id"] != one.provider_id:
        return Verdict.DIFFERS  # both have sent it
    # A failure that the copy knew of may have been sent on its way again since.
    is_old_failure = one.state == "failed" and row["attempts"] >= one.attempts
    return Verdict.KNOWN if one.state == "unknown" or is_old_failure else None


def _report(one: SendOutcome) -> StatusReport:
    """An outcome as the provider would have told it; one that was left to a person has no id."""
    delivery = Delivery.FAILED if one.state == "unknown" else Delivery(one.state)
    provider_id = one.provider_id or f"none:{one.idempotency_key}"
    return StatusReport(provider_id, one.idempotency_key, delivery, one.note)


_KEEP_MESSAGE: Final = """
INSERT INTO outbox (idempotency_key, guest, kind, lane, sealed_phone, sealed_message, template,
                    purpose, country, language, dedupe_key, sent_as, state, note, provider_id,
                    attempts, created_at, not_before, next_at, sending_at, sent_at, delivered_at,
                    read_at)
VALUES (:idempotency_key, :guest, :kind, :lane, :sealed_phone, :sealed_message, :template,
        :purpose, :country, :language, :dedupe_key, :sent_as, :state, :note, :provider_id,
        :attempts, :created_at, :not_before, :next_at, :sending_at, :sent_at, :delivered_at,
        :read_at)
ON CONFLICT DO NOTHING RETURNING id
"""

_KEEP_HELD: Final = """
INSERT INTO conversations (guest, holder, held_by, reason, held_since, answered_at)
SELECT :guest, 'person', :held_by, :reason, :held_since, :answered_at
WHERE EXISTS (SELECT 1 FROM guests WHERE guest = :guest)
ON CONFLICT DO NOTHING
"""

_KEEP_TOLD: Final = """
INSERT INTO cloud_events (event_id, name, guest, sealed_payload, state, created_at, waiting_since)
VALUES (:event_id, :name, :guest, :sealed_payload, 'waiting', :created_at, :now)
ON CONFLICT DO NOTHING
"""

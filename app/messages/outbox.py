"""The outbox: the send ledger.

``pending → sending → sent → delivered → read``; ``unknown`` when the provider's answer was lost,
``refused`` when a rule forbids it, ``failed`` when the provider can't or won't. States move forward
only. The provider's echo of a message settles it whatever we believed (`app.messages.settling`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.guests.phones import country_of
from app.leading import Leadership
from app.messages import echoes, leading
from app.messages.deciding import Rules, decide
from app.messages.events import StatusReport
from app.messages.outgoing import LANES, Kind, Outgoing, Template, encode
from app.messages.pausing import NOT_PAUSED
from app.messages.provider import Guard
from app.messages.settling import MovedHook, nobody, settle
from app.sealing import Seal
from app.store.database import Connection, Database, milliseconds, now_ms, to_ms

LONGEST_WAIT = timedelta(seconds=60)
# Where a provider says "slow down" and not for how long.
SLOW_DOWN = timedelta(seconds=5)


@dataclass(frozen=True)
class OutboxRow:
    """A message claimed for sending in ``term``; ``message`` is what the provider is handed."""

    row_id: int
    idempotency_key: str
    guest: bytes
    phone: str
    message: Outgoing
    attempts: int
    term: int


@dataclass(frozen=True)
class Draft:
    """A message to be written to the outbox. ``not_before`` is aware.

    ``key`` is the same when another leader writes the same message (`app.messages.echoes`).
    """

    key: str
    phone: str
    kind: Kind
    message: Outgoing
    language: str
    inbox_id: int | None = None
    dedupe_key: str | None = None
    not_before: datetime | None = None


InsteadHook = Callable[[Connection, OutboxRow], None]


class Outbox:
    """The outbox table. ``claim_time`` is how long a send may take before it is in doubt.

    ``on_instead`` is called in the transaction in which an answer is given up for the template that
    says that a person will answer: somebody must call that person. ``on_moved`` is called in the
    transaction in which a row is sent, failed or refused. ``guard`` says whether a message may go
    now, ``leadership`` whether any may go from here.
    """

    def __init__(  # noqa: PLR0913 - the parts it is made of
        self,
        database: Database,
        seal: Seal,
        rules: Rules,
        guard: Guard,
        *,
        leadership: Leadership,
        grace: timedelta,
        claim_time: timedelta,
        on_instead: InsteadHook,
        on_moved: MovedHook = nobody,
    ) -> None:
        self._database = database
        self._seal = seal
        self._rules = rules
        self._guard = guard
        self._leadership = leadership
        self._grace = milliseconds(grace)
        self._claim_time = milliseconds(claim_time)
        self._on_instead = on_instead
        self._on_moved = on_moved

    def add(self, connection: Connection, draft: Draft) -> int | None:
        """Write a message to be sent, in the caller's transaction; None if its key was here."""
        now = now_ms()
        message = draft.message
        template = message.name if isinstance(message, Template) else None
        not_before = now if draft.not_before is None else max(now, to_ms(draft.not_before))
        rows = connection.execute(
            _INSERT,
            {
                "key": draft.key,
                "inbox_id": draft.inbox_id,
                "guest": self._seal.index(draft.phone),
                "kind": draft.kind,
                "lane": LANES[draft.kind],
                "sealed_phone": self._seal.seal(draft.phone, f"outbox.phone:{draft.key}"),
                "sealed_message": self._seal.seal(encode(message), f"outbox.message:{draft.key}"),
                "template": template,
                "purpose": self._rules.catalogue.purpose(template) if template else None,
                "country": country_of(draft.phone),
                "language": draft.language,
                "dedupe_key": draft.dedupe_key,
                "now": now,
                "not_before": not_before,
                "next_at": max(now + self._grace, not_before),
            },
        ).fetchall()
        return int(rows[0]["id"]) if rows else None

    def claim(self, row_id: int) -> OutboxRow | None:
        """Move a row ``pending → sending``, durably, for this caller alone.

        None if this machine doesn't lead, or it isn't pending, is paused, the guard lets nothing
        through, an earlier message of its lane to the guest is still open, the rules hold or refuse
        it, or another leader sent it, which is then noted on the row.
        """
        with self._database.transaction() as connection:
            return self.claim_within(connection, row_id)

    def claim_within(self, connection: Connection, row_id: int) -> OutboxRow | None:
        """As :meth:`claim`, in the caller's transaction: send only once that is committed."""
        term = self._term(connection)
        if term is None:
            return None
        now = now_ms()
        row = connection.execute(_NEXT_TO_GO, {"id": row_id, "now": now}).fetchone()
        if row is None:
            return None
        key = row["idempotency_key"]
        if echo := echoes.take(connection, key):
            settle(connection, StatusReport(echo.provider_id, key, echo.delivery), self._on_moved)
            return None
        phone = self._seal.open(row["sealed_phone"], f"outbox.phone:{key}")
        sealed = self._seal.open(row["sealed_message"], f"outbox.message:{key}")
        decided = decide(connection, row, phone, sealed, self._rules)
        if decided is None:
            self._on_moved(connection, row_id)  # if it was refused; else it stands where it stood
            return None
        # The guard has the last word: what it admits is sent.
        if not self._guard.admit(key):
            return None
        connection.execute(
            _CLAIM,
            {
                "id": row_id,
                "now": now,
                "in_doubt_at": now + self._claim_time,
                "sent_as": decided.sent_as,
                "rule": decided.rule,
                "term": term,
            },
        )
        claimed = OutboxRow(
            row_id, key, row["guest"], phone, decided.message, row["attempts"] + 1, term
        )
        if decided.is_instead:
            self._on_instead(connection, claimed)
        return claimed

    def sent(self, row_id: int, provider_id: str) -> None:
        """The provider took it.

        Not durable: if a power cut takes it back, the row is in doubt, and its echo settles it.
        """
        with self._database.transaction(durable=False) as connection:
            connection.execute(_SENT, {"id": row_id, "provider_id": provider_id, "now": now_ms()})
            self._on_moved(connection, row_id)

    def not_sent(self, row: OutboxRow, reason: str, after: timedelta | None) -> None:
        """Surely not sent: back to ``pending``, for later."""
        backoff = min(milliseconds(LONGEST_WAIT), 1000 << min(row.attempts, 16))
        wait = backoff if after is None else milliseconds(after)
        with self._database.transaction() as connection:
            _leave_sending(connection, row.row_id, "pending", reason, wait)

    def slow_down(self, row: OutboxRow, reason: str, after: timedelta | None) -> None:
        """Surely not sent, and the provider wants no other either for a while."""
        wait = milliseconds(after or SLOW_DOWN)
        now = now_ms()
        with self._database.transaction() as connection:
            _leave_sending(connection, row.row_id, "pending", reason, wait)
            connection.execute(_PAUSE, {"now": now, "until": now + wait})

    def window_closed(self, row: OutboxRow, reason: str) -> None:
        """Surely not sent, and only a template may go: decided anew, as outside the window."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET rule = 'window' WHERE id = ? AND state = 'sending'",
                (row.row_id,),
            )
            _leave_sending(connection, row.row_id, "pending", reason, 0)

    def refused(self, row_id: int, reason: str) -> None:
        """Surely not sent, and never will be."""
        with self._database.transaction() as connection:
            _leave_sending(connection, row_id, "failed", reason, 0)
            self._on_moved(connection, row_id)

    def in_doubt(self, row_id: int, reason: str, echo_wait: timedelta) -> None:
        """Perhaps sent: ``unknown`` until its echo comes or the wait is over."""
        with self._database.transaction() as connection:
            _leave_sending(connection, row_id, "unknown", reason, milliseconds(echo_wait))

    def next_of_guest(self, guest: bytes) -> int | None:
        """The guest's first open message of any lane that may be tried now."""
        row = self._database.one(_FIRST_OPEN, {"guest": guest, "now": now_ms()})
        return None if row is None else int(row["id"])

    def next_after(self, row_id: int) -> int | None:
        """As :meth:`next_of_guest`, once the message of ``row_id`` is no longer open."""
        row = self._database.one(_GUEST_OF_CLOSED, {"id": row_id})
        return None if row is None else self.next_of_guest(row["guest"])

    def _term(self, connection: Connection) -> int | None:
        """The term in which this machine may send what stands in this very file, now.

        A file that was moved away, or isn't yet the one that is led from, has another.
        """
        term = self._leadership.term()
        if not term:
            return term  # None, or the 0 of a machine without another
        return term if leading.current(connection) == term else None


def _leave_sending(connection: Connection, row_id: int, state: str, note: str, wait: int) -> None:
    # Only from 'sending': an echo may have settled the row while the provider was asked.
    connection.execute(
        "UPDATE outbox SET state = :state, note = :note, not_before = :at, next_at = :at "
        "WHERE id = :id AND state = 'sending'",
        {"state": state, "note": note, "at": now_ms() + wait, "id": row_id},
    )


_INSERT = """
INSERT INTO outbox (idempotency_key, inbox_id, guest, kind, lane, sealed_phone, sealed_message,
                    template, purpose, country, language, dedupe_key, state,
                    created_at, not_before, next_at)
VALUES (:key, :inbox_id, :guest, :kind, :lane, :sealed_phone, :sealed_message,
        :template, :purpose, :country, :language, :dedupe_key, 'pending',
        :now, :not_before, :next_at)
ON CONFLICT DO NOTHING RETURNING id
"""

_NEXT_TO_GO = f"""
SELECT id, idempotency_key, guest, kind, sealed_phone, sealed_message, template, language,
       dedupe_key, rule, attempts, created_at
FROM outbox WHERE id = :id AND state = 'pending' AND not_before <= :now AND {NOT_PAUSED}
AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.guest = outbox.guest AND earlier.lane = outbox.lane
    AND earlier.id < outbox.id AND earlier.state IN ('pending', 'sending', 'unknown')
)
"""  # noqa: S608 - ours

_CLAIM = """
UPDATE outbox SET state = 'sending', attempts = attempts + 1, sending_at = :now,
                  next_at = :in_doubt_at, sent_as = :sent_as, rule = :rule, term = :term
WHERE id = :id
"""

_SENT = """
UPDATE outbox SET provider_id = :provider_id, sent_at = coalesce(sent_at, :now), note = NULL,
                  state = CASE WHEN state IN ('delivered', 'read') THEN state ELSE 'sent' END
WHERE id = :id AND state IN ('sending', 'unknown', 'sent', 'delivered', 'read')
"""

_PAUSE = """
INSERT INTO provider_pause (id, asked_at, until) VALUES (1, :now, :until)
ON CONFLICT (id) DO UPDATE SET asked_at = :now, until = max(until, :until)
"""

# The first open row of each lane; those whose time has come, the oldest of them.
_FIRST_OPEN = f"""
SELECT id FROM outbox WHERE id IN (
    SELECT min(id) FROM outbox
    WHERE guest = :guest AND state IN ('pending', 'sending', 'unknown') GROUP BY lane
)
AND state = 'pending' AND not_before <= :now AND {NOT_PAUSED} ORDER BY id LIMIT 1
"""  # noqa: S608 - ours

_GUEST_OF_CLOSED = """
SELECT guest FROM outbox WHERE id = :id AND state NOT IN ('pending', 'sending', 'unknown')
"""

"""What the spool holds comes into the database, once this node leads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from app.commands import asked
from app.commands.store import CameBy, Commands, Sender, Taken
from app.ha.spool import Spool, Spooled
from app.ha.spooled import Entry, Kind
from app.messages.events import InboundMessage
from app.messages.inbox import Accepted, Inbox
from app.messages.leading import terms
from app.providers.registry import WEBHOOKS
from app.sealing import Seal
from app.settings import ProviderName
from app.store.database import Connection, Database
from app.work.jobs import Job

log = structlog.get_logger()
# The relay may look at once: whoever replays may be killed before the jobs are dispatched.
_NO_GRACE: Final = timedelta(0)
Found = Taken | list[Accepted]
Statement = Callable[[Connection], Found]


class UnreadableError(ValueError):
    """This release can't read what another one took."""


@dataclass
class Replayed:
    """How many webhooks and commands were new to the database, and the jobs to dispatch for them.

    Those that the last leader may have acted on are new without a job: they are held.
    """

    webhooks: int = 0
    commands: int = 0
    jobs: list[tuple[Job, int]] = field(default_factory=list)


class Accepting:
    """Accepts what a door took into a database, by the same statements as the leader's doors."""

    def __init__(self, database: Database, seal: Seal, grace: timedelta) -> None:
        self._inbox = Inbox(database, seal, grace)
        self._commands = Commands(database, seal, grace)

    def statement(self, entry: Entry, held_until: datetime | None = None) -> Statement:
        """The statements that keep it, once. Raises :class:`UnreadableError`."""
        try:
            if entry.kind is Kind.COMMAND:
                return self._command(entry, held_until)
            return self._webhook(entry, held_until)
        except ValueError as error:  # of the envelope, of the model, or no such provider
            raise UnreadableError(type(error).__name__) from None

    def _command(self, entry: Entry, held_until: datetime | None) -> Statement:
        sender = Sender(entry.source, entry.idempotency_key, CameBy.PUSH, entry.request_id)
        return self._commands.accept(entry.command_id, asked.read(entry.body), sender, held_until)

    def _webhook(self, entry: Entry, held_until: datetime | None) -> Statement:
        events = WEBHOOKS[ProviderName(entry.source)].read(entry.body.encode())
        statements = [self._inbox.accept(kept.event, kept.body, held_until) for kept in events]
        return lambda connection: [statement(connection) for statement in statements]


def jobs_of(found: Found) -> list[tuple[Job, int]]:
    """What is to be done about what was kept just now."""
    if isinstance(found, Taken):
        return [(Job.RUN_COMMAND, found.row_id)] if found.is_new else []
    return [
        (Job.ANSWER_MESSAGE, one.row_id)
        for one in found
        if one.row_id is not None and isinstance(one.content, InboundMessage)
    ]


def is_new(found: Found) -> bool:
    """Whether anything of it wasn't there before."""
    if isinstance(found, Taken):
        return found.is_new
    return any(one.row_id is not None for one in found)


def replay(database: Database, seal: Seal, spool: Spool, held_until: datetime) -> Replayed:
    """Accept every row of the spool into the database, in order, and empty it; again changes
    nothing.

    What was offered to the last leader is held until ``held_until`` (aware). What can't be read
    stays. Not accepted is what the copy had seen in the last leader's term: if the database lacks
    it, a guest was erased since.
    """
    mark = spool.caught_up()
    # This leader's own term, if it has begun, and the one before.
    if mark is not None and mark.term in {one.term for one in terms(database.connection, 2)}:
        spool.forget(mark)
    accepting = Accepting(database, seal, _NO_GRACE)
    replayed = Replayed()
    after = 0
    while rows := spool.all_after(after=after):
        after = rows[-1].row_id
        _accept(database, spool, _readable(accepting, rows, held_until), replayed, held_until)
    return replayed


def _readable(
    accepting: Accepting, rows: Sequence[Spooled], held_until: datetime
) -> list[tuple[Spooled, Statement]]:
    """The rows that this release can read; the others stay as they are."""
    found = []
    for row in rows:
        try:
            statement = accepting.statement(row.entry, held_until if row.offered else None)
        except UnreadableError as error:
            log.error("spooled_unreadable", row=row.row_id, reason=str(error))
            continue
        found.append((row, statement))
    return found


def _accept(
    database: Database,
    spool: Spool,
    rows: list[tuple[Spooled, Statement]],
    replayed: Replayed,
    held_until: datetime,
) -> None:
    with database.transaction() as connection:
        results = [(row, statement(connection)) for row, statement in rows]
    # Killed here, all of it is accepted again, which changes nothing; the relay finds the rows.
    spool.remove(row.row_id for row, _ in results)
    is_over = held_until <= datetime.now(UTC)
    for row, found in results:
        if not is_new(found):
            continue
        if row.entry.kind is Kind.COMMAND:
            replayed.commands += 1
        else:
            replayed.webhooks += 1
        if is_over or not row.offered:
            replayed.jobs += jobs_of(found)

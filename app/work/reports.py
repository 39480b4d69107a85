"""Applying the provider's reports (Sent, Delivered, Read, Error) to our messages.

There are three for each message, and nobody waits for them as a guest waits for an answer: they
don't go over the queue but are taken together, a handful in a transaction, by one thread.
"""

import threading
from datetime import timedelta
from functools import partial

import structlog

from app.events.hearing import tell_message
from app.messages import echoes
from app.messages.events import Delivery, StatusReport
from app.messages.inbox import Outcome
from app.messages.settling import settle
from app.providers.registry import parse_stored
from app.sealing import SealError
from app.store.database import Connection, DatabaseError
from app.work.desk import Desk
from app.work.jobs import Job
from app.work.relay import Dispatcher

log = structlog.get_logger()
# Long enough for several to gather, short enough to end a doubt before anybody wonders.
INTERVAL = timedelta(milliseconds=200)
# Who took a conversation over, where all that is known is that they wrote in the provider's inbox.
IN_ITS_INBOX = "the provider's inbox"
# A transaction of so many holds the write lock for about 2 ms; a guest's answer waits no longer.
BATCH = 20


class Reports:
    """The thread that applies what has gathered, every :data:`INTERVAL`."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def apply_waiting(self) -> int:
        """Apply up to :data:`BATCH` reports, oldest first; how many were taken up."""
        row_ids = self._desk.inbox.open_reports(BATCH)
        read = [(row_id, report) for row_id in row_ids if (report := self._read(row_id))]
        if read:
            # Not durable: a power cut leaves the reports open with what they would have done.
            with self._desk.database.transaction(durable=False) as connection:
                guests = {self._apply(connection, row_id, report) for row_id, report in read}
            self._let_go_on(guests)
        return len(row_ids)

    def _read(self, row_id: int) -> StatusReport | None:
        """The report of a row; None where it can't be read, which is noted on the row."""
        try:
            row = self._desk.inbox.open_row(row_id)
            content = parse_stored(row.source, row.body).content if row else None
        except (SealError, ValueError) as error:
            self._desk.inbox.postpone(row_id, str(error))
            return None
        return content if isinstance(content, StatusReport) else None

    def _apply(self, connection: Connection, row_id: int, report: StatusReport) -> bytes | None:
        guest = settle(connection, report, partial(tell_message, self._desk.events))
        note = None if guest else _not_here(report)
        if guest is None and report.by_person and report.phone:
            note = "a person wrote"
            self._person_wrote(connection, report)
        self._desk.inbox.close(connection, row_id, Outcome(note=note))
        return guest

    def _person_wrote(self, connection: Connection, report: StatusReport) -> None:
        # Once: "Read" may come days later, when the guest was long given back to the bot.
        if report.phone and report.delivery is Delivery.SENT:
            guest = self._desk.seal.index(report.phone)
            self._desk.conversations.person_wrote(connection, guest, IN_ITS_INBOX)

    def _let_go_on(self, guests: set[bytes | None]) -> None:
        """A doubt that a report has ended may have held up the guest's next message."""
        for guest in guests:
            following = self._desk.outbox.next_of_guest(guest) if guest else None
            if following is not None:
                self._dispatcher.put(Job.DELIVER_MESSAGE, following)

    def _run(self) -> None:
        while True:
            try:
                while self.apply_waiting() == BATCH:
                    pass
            except DatabaseError as error:
                log.error("reports_failed", reason=str(error))
            if self._stopping.wait(INTERVAL.total_seconds()):
                return


def _not_here(report: StatusReport) -> str:
    key = report.idempotency_key
    return "not here: kept as an echo" if key and echoes.is_ours(key) else "not ours"

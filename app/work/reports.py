"""Applying the provider's reports (Sent, Delivered, Read, Error) to our messages.

There are three for each message, and nobody waits for them as a guest waits for an answer: they
don't go over the queue but are taken together, a handful in a transaction, by one thread.
"""

import threading
from datetime import timedelta

import structlog

from app.messages.events import StatusReport
from app.messages.inbox import Inbox, Outcome
from app.messages.outbox import Outbox
from app.providers import spoki_events
from app.store.database import Connection, Database, DatabaseError
from app.store.seal import SealError
from app.work.jobs import Job
from app.work.relay import Dispatcher

log = structlog.get_logger()
# Long enough for several to gather, short enough to end a doubt before anybody wonders.
INTERVAL = timedelta(milliseconds=200)
# A transaction of so many holds the write lock for about 2 ms; a guest's answer waits no longer.
BATCH = 20


class Reports:
    """The thread that applies what has gathered, every :data:`INTERVAL`."""

    def __init__(
        self, database: Database, inbox: Inbox, outbox: Outbox, dispatcher: Dispatcher
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
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
        row_ids = self._inbox.open_reports(BATCH)
        read = [(row_id, report) for row_id in row_ids if (report := self._read(row_id))]
        if read:
            # Not durable: a power cut leaves the reports open with what they would have done.
            with self._database.transaction(durable=False) as connection:
                guests = {self._apply(connection, row_id, report) for row_id, report in read}
            self._let_go_on(guests)
        return len(row_ids)

    def _read(self, row_id: int) -> StatusReport | None:
        """The report of a row; None where it can't be read, which is noted on the row."""
        try:
            row = self._inbox.open_row(row_id)
            content = spoki_events.parse(row.body).content if row else None
        except (SealError, spoki_events.EnvelopeError) as error:
            self._inbox.postpone(row_id, str(error))
            return None
        return content if isinstance(content, StatusReport) else None

    def _apply(self, connection: Connection, row_id: int, report: StatusReport) -> bytes | None:
        guest = self._outbox.settle(connection, report)
        self._inbox.close(connection, row_id, Outcome(note=None if guest else "not ours"))
        return guest

    def _let_go_on(self, guests: set[bytes | None]) -> None:
        """A doubt that a report has ended may have held up the guest's next message."""
        for guest in guests:
            following = self._outbox.next_of_guest(guest) if guest else None
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

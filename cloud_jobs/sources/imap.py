"""The mailbox is listened to: a thread that keeps a connection, and comes back when it is lost."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Final

import structlog
from imap_tools.errors import MailboxFolderSelectError
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from app.sealing import Seal
from cloud_jobs.alerts.raising import raise_alert, resolve
from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources.mail_intake import Intake, Take
from cloud_jobs.sources.mailbox import MAILBOX_ERRORS, Folder, LoginRefusedError, opened
from cloud_jobs.store.database import Store, StoreUnavailable

AWAY_KEY: Final = "mailbox_away"
AWAY_LONG: Final = timedelta(minutes=10)
"""Servers are restarted; a mailbox that is away for so long needs a person."""

# RFC 2177: IDLE is to be begun anew within 29 minutes; routers forget a silent connection sooner.
_LONGEST_IDLE: Final = timedelta(minutes=9)
# A connection that held so long is no failure when it breaks: it is made anew at once.
_HELD: Final = timedelta(minutes=1)
_STOPS: Final = timedelta(seconds=10)
_soon = wait_random_exponential(multiplier=1, max=300)
# A password that is refused too often locks the mailbox.
_seldom = wait_random_exponential(multiplier=60, min=30, max=1800)
log = structlog.get_logger()


class Listener:
    """Listens to the mailbox of the settings from :meth:`start` to :meth:`stop`, if there is one.

    ``take`` is called in the transaction that keeps a mail, from the listener's own thread.
    """

    def __init__(self, settings: CloudSettings, store: Store, seal: Seal, take: Take) -> None:
        self._settings = settings
        self._store = store
        self._seal = seal
        name = f"{settings.imap_user}@{settings.imap_host}/{settings.imap_folder}"
        self._intake = Intake(name[:200], store, seal, take)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="mailbox", daemon=True)
        self._folder: Folder | None = None
        self._heard = time.monotonic()

    def start(self) -> None:
        """Begin to listen; without a mailbox in the settings nothing happens."""
        if self._settings.imap_host:
            self._thread.start()

    def stop(self) -> None:
        """End, between two mails; what is half done is done again by the next start."""
        self._stopping.set()
        if self._thread.ident is None:
            return
        if (folder := self._folder) is not None:
            folder.interrupt()
        self._thread.join(_STOPS.total_seconds())

    def _run(self) -> None:
        retrying = Retrying(
            wait=_wait,
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            before_sleep=self._note_failure,
        )
        while not self._stopping.is_set():
            with suppress(RetryError):  # raised once it is to stop
                retrying(self._connection)

    def _connection(self) -> None:
        """From a login until the connection is lost. Raises if it was lost early."""
        began = time.monotonic()
        try:
            with opened(self._settings) as folder:
                self._folder = folder
                self._listen(folder)
        except MAILBOX_ERRORS as error:
            if time.monotonic() - began < _HELD.total_seconds():
                raise
            log.info("mailbox_connection_lost", reason=type(error).__name__)
        finally:
            self._folder = None

    def _listen(self, folder: Folder) -> None:
        longest = min(self._settings.imap_poll, _LONGEST_IDLE)
        while not self._stopping.is_set():
            self._note_heard(self._intake.look(folder))
            folder.wait(longest, self._stopping)

    def _note_heard(self, found: int) -> None:
        self._heard = time.monotonic()
        with self._store.writing() as session:
            resolve(session, key=AWAY_KEY, now=datetime.now(UTC))
        if found:
            log.info("mailbox_read", mails=found)

    def _note_failure(self, state: RetryCallState) -> None:
        """Log it; tell the desk of a mailbox that is away for long. The error's text stays here."""
        error = state.outcome.exception() if state.outcome else None
        expected = isinstance(error, (*MAILBOX_ERRORS, StoreUnavailable))
        away = timedelta(seconds=time.monotonic() - self._heard)
        log.warning(
            "mailbox_away",
            reason=type(error).__name__,
            seconds=round(away.total_seconds()),
            exc_info=None if expected else error,
        )
        if away < AWAY_LONG:
            return
        with suppress(StoreUnavailable), self._store.writing() as session:
            raise_alert(
                session,
                self._seal,
                self._settings,
                key=AWAY_KEY,
                kind=AWAY_KEY,
                text=_explained(self._settings, error),
                now=datetime.now(UTC),
            )


def _wait(state: RetryCallState) -> float:
    refused = state.outcome is not None and isinstance(state.outcome.exception(), LoginRefusedError)
    return (_seldom if refused else _soon)(state)


def _explained(settings: CloudSettings, error: BaseException | None) -> str:
    where = f"The mailbox at {settings.imap_host} has not been read for {AWAY_LONG} and more:"
    if isinstance(error, LoginRefusedError):
        return (
            f"{where} it refuses the password. Put the right one into PORTIERE_IMAP_PASSWORD, or "
            "make a new app password (docs/mail.md)."
        )
    if isinstance(error, MailboxFolderSelectError):
        return f"{where} it has no folder as PORTIERE_IMAP_FOLDER names it."
    if isinstance(error, StoreUnavailable):
        return f"{where} the cloud's store takes nothing ({type(error).__name__})."
    return (
        f"{where} {type(error).__name__}. Reservations that come by mail are not seen until it "
        "answers again; nothing is lost."
    )

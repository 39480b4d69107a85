"""A folder over IMAP (RFC 3501): opened, searched, fetched from, waited for. It stores nothing.

Fetching never sets ``\\Seen``: whose mailbox it is still sees what is new to them.
"""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any, Final

from imap_tools import AND, BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted, U
from imap_tools.errors import ImapToolsError, MailboxLoginError

from cloud_jobs.mail.message import MOST_BYTES
from cloud_jobs.settings_sources import ImapSecurity, SourceSettings


class LoginRefusedError(Exception):
    """The server doesn't take the user and the password."""


MAILBOX_ERRORS: Final = (OSError, imaplib.IMAP4.error, ImapToolsError, LoginRefusedError)
"""What fails where a server does, or the way to it. Their texts may quote what was sent, a password
among it: none of them is ever logged."""

# For connecting, and for each answer.
TIMEOUT: Final = timedelta(seconds=30)
TAKEN: Final = "$Portiere"
"""The keyword of a mail that is kept: mail programs show it as a label, or not at all."""
# Of a header; no honest one is longer.
_HEADER_BYTES: Final = 100_000
# In one STORE: a command's line may not be of any length.
_AT_ONCE: Final = 500


@dataclass(frozen=True, repr=False)
class Arrived:
    """A mail of the folder. ``raw`` is its header alone, or nothing, where it isn't ``whole``.

    ``received_at`` (aware) is when the server took it in, ``size`` its bytes there.
    """

    uid: int
    received_at: datetime
    size: int
    raw: bytes
    whole: bool


class Folder:
    """An open folder. Whatever fails raises one of :data:`MAILBOX_ERRORS`."""

    def __init__(self, box: BaseMailBox, name: str) -> None:
        self._box = box
        try:
            box.folder.set(name)
        except imaplib.IMAP4.readonly:  # a mailbox that one may only read
            box.folder.set(name, readonly=True)
        self.uid_validity = int(self._said("UIDVALIDITY") or 0)
        # RFC 3501, 7.1: with "\*" among them, keywords may be made up.
        self._can_mark = b"\\*" in self._said("PERMANENTFLAGS")
        self._can_idle = "IDLE" in _capabilities(box)

    def after(self, uid: int) -> list[int]:
        """The mails with a greater ``uid``, in order."""
        # "n:*" is the last mail at least, even below n (RFC 3501, 6.4.8).
        return [found for found in self._search(AND(uid=U(str(uid + 1), "*"))) if found > uid]

    def since(self, day: date, *, unseen: bool) -> list[int]:
        """The mails that came on ``day`` or later, in order; ``unseen``: that nobody has read."""
        return self._search(AND(date_gte=day, seen=False) if unseen else AND(date_gte=day))

    def highest(self) -> int:
        """The greatest UID that is in the folder; 0 if it is empty."""
        return max(self._search(AND(uid="*")), default=0)

    def fetch(self, uid: int) -> Arrived | None:
        """A mail, of one that is too big only the header; None if it is gone."""
        facts = b"".join(one for one in self._fetch(uid, "(RFC822.SIZE INTERNALDATE)") if one)
        size = re.search(rb"RFC822\.SIZE (\d+)", facts)
        if size is None:
            return None
        whole = int(size[1]) <= MOST_BYTES
        part = "BODY.PEEK[]" if whole else f"BODY.PEEK[HEADER]<0.{_HEADER_BYTES}>"
        # News of other mails may be among the answers, but no other literal.
        literals = [one[1] for one in self._fetch(uid, f"({part})") if isinstance(one, tuple)]
        if not literals:
            return None
        return Arrived(uid, _internal_date(facts), int(size[1]), literals[0], whole)

    def mark(self, uids: Sequence[int]) -> None:
        """Put :data:`TAKEN` on mails, where the server lets one."""
        if not self._can_mark:
            return
        for at in range(0, len(uids), _AT_ONCE):
            some = ",".join(map(str, uids[at : at + _AT_ONCE]))
            # Not imap-tools' flag(): that one also expunges, which is for the mailbox's owner.
            self._box.client.uid("STORE", some, "+FLAGS.SILENT", f"({TAKEN})")

    def begin_look(self) -> None:
        """What the server tells of from here on ends the next :meth:`wait`."""
        self._news()

    def wait(self, longest: timedelta, stopping: Event) -> None:
        """Until the server tells of something, or ``longest`` is over, or :meth:`interrupt`."""
        if self._news():
            return
        if not self._can_idle:
            stopping.wait(longest.total_seconds())
            return
        with self._box.idle as idle:
            if not self._came_along():
                idle.poll(longest.total_seconds())

    def interrupt(self) -> None:
        """Let whoever waits for the server fail at once; from another thread."""
        with suppress(OSError):
            self._box.client.socket().shutdown(socket.SHUT_RDWR)

    def _news(self) -> bool:
        """Whether the server has told that mails came, since this was asked the last time."""
        return bool(self._box.client.untagged_responses.pop("EXISTS", None))

    def _came_along(self) -> bool:
        """Whether more came in one breath with the server's last line: news just before IDLE does.

        imap-tools waits for the socket, which doesn't have that any more; imaplib's buffer has.
        """
        client = self._box.client
        buffered: Any = client.file
        timeout = client.sock.gettimeout()
        client.sock.settimeout(0)
        try:
            return bool(buffered.peek(1))
        except OSError:  # nothing there, as TLS says it
            return False
        finally:
            client.sock.settimeout(timeout)

    def _search(self, criteria: AND) -> list[int]:
        return sorted(map(int, self._box.uids(criteria, charset=None)))

    def _fetch(self, uid: int, parts: str) -> list[Any]:
        """imaplib's answers: bytes, or pairs of bytes and the literal that follows them."""
        status, answers = self._box.client.uid("FETCH", str(uid), parts)
        if status != "OK":
            raise imaplib.IMAP4.error("FETCH was refused")
        return answers

    def _said(self, code: str) -> bytes:
        """What the server said with SELECT; empty if it didn't."""
        found: list[Any] = self._box.client.untagged_responses.get(code, [])
        return found[-1] if found else b""


@contextmanager
def opened(settings: SourceSettings) -> Iterator[Folder]:
    """The folder of the settings, until the end of the block. Raises one of MAILBOX_ERRORS."""
    box = _connected(settings)
    try:
        _log_in(box, settings)
        yield Folder(box, settings.imap_folder)
    finally:
        with suppress(*MAILBOX_ERRORS):
            box.logout()
        with suppress(OSError):  # a logout that fails leaves the connection open
            box.client.shutdown()


def _connected(settings: SourceSettings) -> BaseMailBox:
    host, port, seconds = settings.imap_host, settings.imap_port, TIMEOUT.total_seconds()
    if settings.imap_security is ImapSecurity.NONE:
        return MailBoxUnencrypted(host, port, timeout=seconds)
    context = ssl.create_default_context()
    if settings.imap_security is ImapSecurity.STARTTLS:
        return MailBoxStartTls(host, port, timeout=seconds, ssl_context=context)
    return MailBox(host, port, timeout=seconds, ssl_context=context)


def _log_in(box: BaseMailBox, settings: SourceSettings) -> None:
    user, password = settings.imap_user, settings.imap_password.get_secret_value()
    # LOGIN takes ASCII only.
    log_in = box.login if (user + password).isascii() else box.login_utf8
    try:
        log_in(user, password, initial_folder=None)
    except imaplib.IMAP4.abort:  # the connection, not the password
        raise
    except (imaplib.IMAP4.error, MailboxLoginError):
        raise LoginRefusedError from None


def _capabilities(box: BaseMailBox) -> list[str]:
    """Asked for anew: after the login a server may be able to do more."""
    _, said = box.client.capability()
    return b" ".join(one for one in said if one).decode("ascii", "replace").upper().split()


def _internal_date(facts: bytes) -> datetime:
    found = re.search(rb'INTERNALDATE "([^"]{1,60})"', facts)
    try:
        return parsedate_to_datetime(found[1].decode()).astimezone(UTC) if found else _now()
    except (ValueError, TypeError, OverflowError):
        return _now()


def _now() -> datetime:
    return datetime.now(UTC)

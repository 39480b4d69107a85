"""The bytes of a mail (RFC 5322) opened: who sent it, when, and its words."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import cached_property

from cloud_jobs.mail.html import Page, page
from cloud_jobs.mail.results import Doubt
from cloud_jobs.mail.words import one_line, rows

# A mail of a booking site has 20 to 200 KB. What is larger, or nested deeper, is some other mail
# or an attempt to keep the reader busy: the parser looks for every open boundary in every line.
MOST_BYTES = 1_000_000
MOST_BOUNDARIES = 20
# Lines that might part a mail; rules of dashes are among them. 100,000 parts take 40 s.
MOST_PARTINGS = 500
# A header of more characters is not read: the parser's time grows with the square of them.
LONGEST_HEADER = 4_000
LONGEST_TEXT = 200_000


@dataclass(frozen=True, repr=False)
class Mail:
    """``address`` and ``subject`` are as they came; ``domain`` is in lower case."""

    address: str
    domain: str
    display_name: str
    subject: str
    sent_at: datetime | None
    authentication: str | None  # the topmost Authentication-Results, unfolded
    plain: str
    html: str

    @cached_property
    def page(self) -> Page:
        """The HTML part, read once and only of a mail that is believed."""
        return page(self.html)

    @cached_property
    def bodies(self) -> list[list[list[str]]]:
        """Rows of cells of each part that says something: the plain one first."""
        parts = (rows(self.plain), rows(self.page.text))
        return [part for part in parts if part]

    @property
    def links(self) -> str:
        """Where every link leads, as text to be searched."""
        return "\n".join([self.plain, *self.page.links])[:LONGEST_TEXT]

    @property
    def text(self) -> str:
        """What a reader sees: the plain part, or the HTML where there is none."""
        return self.plain if self.plain.strip() else self.page.text


def opened(raw: bytes, received_at: datetime | None) -> Mail | Doubt:
    """The mail, or why it can't be had. ``received_at`` (aware) stands in for a missing Date."""
    if len(raw) > MOST_BYTES:
        return Doubt.TOO_BIG
    if _is_nested(raw.lower()):
        return Doubt.TOO_BIG
    try:
        return _opened(raw, received_at)
    # `email` promises not to raise on any bytes, and does: IndexError, ValueError, RecursionError
    # and others have been seen from broken headers. Nothing of ours is called in here but copying.
    except Exception:
        return Doubt.UNREADABLE


def _is_nested(raw: bytes) -> bool:
    boundaries = raw.count(b"boundary") + raw.count(b"message/")
    partings = raw.count(b"\n--") + raw.count(b"\r--")
    return boundaries > MOST_BOUNDARIES or partings > MOST_PARTINGS


def _opened(raw: bytes, received_at: datetime | None) -> Mail | Doubt:
    message = message_from_bytes(raw, policy=policy.default)
    kept = [(name.lower(), str(value)) for name, value in message.raw_items()]
    senders = [value for name, value in kept if name == "from"]
    if len(senders) != 1 or len(senders[0]) > LONGEST_HEADER:
        return Doubt.UNREADABLE
    addresses = message["from"].addresses
    if len(addresses) != 1 or not addresses[0].domain:
        return Doubt.UNREADABLE
    results = [value for name, value in kept if name == "authentication-results"]
    return Mail(
        address=addresses[0].addr_spec,
        domain=addresses[0].domain.lower(),
        display_name=addresses[0].display_name,
        subject=_subject(message, kept),
        sent_at=_sent_at(kept) or received_at,
        authentication=results[0][: 2 * LONGEST_HEADER] if results else None,
        plain=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _subject(message: EmailMessage, kept: list[tuple[str, str]]) -> str:
    subjects = [value for name, value in kept if name == "subject"]
    if len(subjects) != 1 or len(subjects[0]) > LONGEST_HEADER:
        return ""
    return one_line(str(message["subject"]))[:500]


def _sent_at(kept: list[tuple[str, str]]) -> datetime | None:
    dates = [value for name, value in kept if name == "date"]
    if len(dates) != 1 or len(dates[0]) > 200:
        return None
    try:
        sent = parsedate_to_datetime(dates[0])
        # "-0000" is UTC of which no zone is known (RFC 5322, 3.3).
        sent = sent.replace(tzinfo=UTC) if sent.tzinfo is None else sent.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return sent if 2000 <= sent.year < 2100 else None


def _part(message: EmailMessage, kind: str) -> str:
    """The text of the first part of that kind. Unknown charsets are read as UTF-8."""
    part = message.get_body((kind,))
    payload = part.get_payload(decode=True) if part else None
    if part is None or not isinstance(payload, bytes):
        return ""
    try:
        text = payload.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = payload.decode("utf-8", "replace")
    return text.replace("\x00", "")[:LONGEST_TEXT] if kind == "plain" else text.replace("\x00", "")

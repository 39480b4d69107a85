"""From inbox rows to a turn: most messages are one; the photos of an album are one together."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from app.messages.events import InboundMessage
from app.messages.inbox import Inbox, InboxRow
from app.providers.registry import parse_stored

# WhatsApp sends an album as single photos, a second apart at most on a slow line.
ALBUM_GAP = timedelta(seconds=2)
# More than WhatsApp lets anybody send at once (30), and a bound for what one turn reads.
LARGEST_ALBUM = 100


@dataclass(frozen=True)
class Received:
    """What a guest sent, and the rows it came in, the first one first."""

    rows: tuple[int, ...]
    message: InboundMessage


def receive(inbox: Inbox, row: InboxRow) -> Received | None:
    """The turn that begins with ``row``; None if it is an album that may not be whole yet.

    Such a row is then left to the relay.
    """
    message = _message(row)
    if not _is_bare_media(message):
        return Received((row.row_id,), message)
    photos = [(row, message)]
    for later in inbox.open_after(row, LARGEST_ALBUM):
        another = _message(later)
        if not _is_bare_media(another):
            break
        photos.append((later, another))
    else:
        whole_at = photos[-1][0].received_at + ALBUM_GAP
        if whole_at > datetime.now(UTC):
            inbox.wait(row.row_id, whole_at)
            return None
    media = tuple(kind for _, photo in photos for kind in photo.media)
    return Received(tuple(one.row_id for one, _ in photos), replace(message, media=media))


def _is_bare_media(message: InboundMessage) -> bool:
    return bool(message.media) and not message.text.strip()


def _message(row: InboxRow) -> InboundMessage:
    content = parse_stored(row.source, row.body).content
    if not isinstance(content, InboundMessage):
        raise TypeError(f"inbox row {row.row_id} has a guest but is no message")
    return content

"""Reminding the desk of guests who wait for a person."""

from datetime import datetime, timedelta
from typing import Final

from app.conversation import alerting
from app.conversation.alerting import Alert
from app.guests.guest import Guest
from app.messages.conversations import Held
from app.messages.waiting import waiting_since
from app.store.database import to_ms
from app.work.desk import Desk

# Whoever didn't come after an hour doesn't come because of a fifth alert.
MOST: Final = 4


def remind(desk: Desk, after: timedelta, now: datetime) -> int:
    """Call the desk for each guest who waits longer than ``after``, and again after as long.

    At most :data:`MOST` times for one wait. ``now`` is aware. Returns how many calls there were.
    """
    calls = 0
    for held in desk.conversations.to_remind(after, MOST):
        since = waiting_since(desk.database, held)
        guest = desk.guests.find_by_index(held.guest)
        # Taken over before they ever wrote: then they don't wait either.
        if since is None or guest is None or now - since < after:
            continue
        _call(desk, held, guest, since, now)
        calls += 1
    return calls


def _call(desk: Desk, held: Held, guest: Guest, since: datetime, now: datetime) -> None:
    text = alerting.text(
        Alert.REMINDER,
        desk.facts.default_language,
        who=alerting.who(guest.name, guest.phone),
        minutes=str((now - since) // timedelta(minutes=1)),
    )
    with desk.database.transaction(durable=False) as connection:
        desk.alerts.raise_alert(
            connection,
            key=f"{Alert.REMINDER}:{held.guest.hex()[:16]}:{to_ms(since)}:{held.reminders}",
            kind=Alert.REMINDER,
            guest=held.guest,
            text=text,
        )
        desk.conversations.reminded(connection, held.guest)

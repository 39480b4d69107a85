"""What a new leader leaves alone for a while: what the last one may have done, unknown to it.

The copy that is led from is some hundred milliseconds older than the last leader's own file. What
was open in it may be done: a reply may be with the guest already, a command carried out. The
provider's reports on such messages come to the new leader (`app.messages.settling`), so it waits
for them before it does any of that again.
"""

from dataclasses import dataclass
from datetime import timedelta

from app.messages.clocks import bring_back
from app.store.database import Connection, milliseconds

# The note of such a send; `app.messages.unfinished` puts its verdict before it.
TAKEN_OVER = "its leader was lost: perhaps sent"


@dataclass(frozen=True)
class Doubted:
    """How many rows are left alone: sends under way, sends due, guests' messages, commands."""

    sending: int
    pending: int
    inbox: int
    commands: int


def cast_doubt(connection: Connection, now_ms: int, wait: timedelta) -> Doubted:
    """Leave alone for ``wait`` all that the last leader may have done, in the caller's transaction.

    Sends become ``unknown``, as where a worker died: the sweep settles them when their wait is
    over. Those that were to go later than now can't have gone; they stay as they are. The last
    leader's clock may have been ahead: its times are brought back first.
    """
    bring_back(connection, now_ms)
    parameters = {"now": now_ms, "until": now_ms + milliseconds(wait), "note": TAKEN_OVER}

    def count(statement: str) -> int:
        return int(connection.execute(statement, parameters).rowcount)

    return Doubted(
        sending=count(f"{_DOUBT} state = 'sending'"),
        pending=count(f"{_DOUBT} state = 'pending' AND not_before <= :now"),
        inbox=count(f"UPDATE inbox {_HOLD} AND guest IS NOT NULL"),
        commands=count(f"UPDATE commands {_HOLD}"),
    )


_DOUBT = "UPDATE outbox SET state = 'unknown', next_at = :until, note = :note WHERE"
_HOLD = "SET held_until = :until, next_at = :until WHERE state = 'received'"

"""Runs on a host, alone: a writer of so many rows a second, who says which are committed.

``python -c … DATABASE RATE`` prints a line for each, once it is: its number, and when (seconds
since the epoch). It ends with the machine.
"""

import sqlite3
import sys
import time

# A booking among so many rows; of no guest and no day, so nobody is written to.
BOOKING_EACH = 10
MADE = "CREATE TABLE IF NOT EXISTS drill_writes (id INTEGER PRIMARY KEY, at REAL NOT NULL)"
BOOKED = """
INSERT INTO bookings (channel, code, status, created_at, updated_at)
VALUES ('drill', :code, 'requested', :now, :now)
"""


def write(database: str, rate: float) -> None:
    """Write until the end."""
    connection = sqlite3.connect(database, timeout=10, isolation_level=None)
    connection.execute(MADE)
    due = time.time()
    while True:
        now = time.time()
        row = connection.execute("INSERT INTO drill_writes (at) VALUES (?) RETURNING id", (now,))
        (number,) = row.fetchone()
        if number % BOOKING_EACH == 0:
            connection.execute(BOOKED, {"code": f"{number}-{now}", "now": int(now * 1000)})
        print(number, now, flush=True)
        due = max(due + 1 / rate, now)
        time.sleep(max(0.0, due - time.time()))


if __name__ == "__main__":
    write(sys.argv[1], float(sys.argv[2]))

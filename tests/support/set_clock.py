"""``python set_clock.py FILE serve|work|node``: Portiere, told another time than it is.

FILE has by how many seconds; when it changes, the clock is set while the program runs. Only the
wall's clock, and only what asks in Python: a steady one can't be set on a real machine, either.
"""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import time_machine

from app.entry import main

_LOOK_SECONDS: Final = 0.05
now = time_machine.escape_hatch.datetime.datetime.now


def follow(file: Path, clock: time_machine.Traveller) -> None:
    """Set the clock whenever the file says another time."""
    told = read(file)
    while True:
        time.sleep(_LOOK_SECONDS)
        if (telling := read(file)) != told:
            told = telling
            clock.move_to(now(UTC) + told)


def read(file: Path) -> timedelta:
    """By how much the clock is to be off."""
    return timedelta(seconds=float(file.read_text()))


if __name__ == "__main__":
    path = Path(sys.argv.pop(1))
    shown = datetime.now(UTC) + read(path)
    with time_machine.travel(shown, tick=True) as travelling:
        threading.Thread(target=follow, args=(path, travelling), daemon=True).start()
        main()

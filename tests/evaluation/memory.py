"""What the brain weighs in memory, measured in a process that has nothing else in it.

Run as ``python -m tests.evaluation.memory`` it prints the three readings, in KiB; `measured` does
that in a process of its own.
"""

import os
import subprocess
import sys
from dataclasses import dataclass

_MESSAGE = "Buongiorno, a che ora è la colazione?"


@dataclass(frozen=True)
class Memory:
    """Resident memory that each adds, in MB (10^6 bytes). The brain's has numpy in it."""

    brain: float
    detector: float


def measured() -> Memory:
    """Start a fresh process, and read what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], capture_output=True, text=True, check=True
    )
    bare, with_brain, with_detector = (int(line) * 1024 / 1e6 for line in done.stdout.split())
    return Memory(brain=with_brain - bare, detector=with_detector - with_brain)


def _resident() -> int:
    """This process's resident memory in KiB; ``ps`` says it alike on Linux and macOS."""
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())]))


def _main() -> None:
    print(_resident())
    from app.conversation import brain  # noqa: PLC0415 - the import is what is measured

    brain.warm_up()
    brain.understand(_MESSAGE)
    print(_resident())
    from app.conversation import language  # noqa: PLC0415 - as above

    language.warm_up()
    print(_resident())


if __name__ == "__main__":
    _main()

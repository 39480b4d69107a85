"""The clock that leases are measured by: steady, and awake while the machine sleeps.

Never the wall's: it is set, stepped and wrong. And not ``time.monotonic``: on a Mac that one stands
still while the lid is closed, when the lease of whoever sleeps runs on (`clock_gettime(3)` of
macOS: ``CLOCK_MONOTONIC`` counts sleep; of Linux: ``CLOCK_BOOTTIME`` does).
"""

import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LINUX: Final = Path("/proc/sys/kernel/random/boot_id")


def now() -> float:
    """Seconds since some moment of this boot; the same for all processes of the machine."""
    return time.clock_gettime(_CLOCK)


@cache
def boot() -> str:
    """Which boot of the machine this is: what :func:`now` told in another one means nothing."""
    if sys.platform != "darwin":
        return _LINUX.read_text().strip()
    asked = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    answer = subprocess.run(asked, capture_output=True, check=True, text=True)  # noqa: S603 - ours
    return answer.stdout.strip()

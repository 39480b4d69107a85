"""Durations as ``portiere ha`` shows them."""

from datetime import timedelta


def spell(duration: timedelta) -> str:
    """``3 d``, ``2 h``, ``5 min``, ``40 s``, ``4.1 s`` or ``0.04 s``."""
    seconds = max(0.0, duration.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 0.1 or seconds == 0 else f"{seconds:.2f} s"

"""Keeping Python's garbage collector out of the way of answers."""

import gc


def settle_heap() -> None:
    """Call once, when a process has loaded all it needs.

    What was loaded stays until the end; looking through it again and again for garbage takes tens
    of milliseconds each time, in the middle of somebody's answer.
    """
    gc.collect()
    gc.freeze()

"""A disk of its own for a test, so small that it gets full."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, size: int) -> Iterator[Path]:
    """A directory that holds ``size`` bytes; skips the test where none can be made."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a disk in memory is made by root on Linux")
    at.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        pytest.skip(f"no disk in memory can be mounted here: {made.stderr}")
    try:
        yield at
    finally:
        # Lazily: whoever still has a file of it open lets go with the test.
        subprocess.run(["umount", "--lazy", at], check=True)

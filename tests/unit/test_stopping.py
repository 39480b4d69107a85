"""A process that is told to end does, whatever it is at."""

import subprocess
import sys

from tests.support.processes import PATIENCE, REPOSITORY

# Always within the wait, or just before or after it: with a handler that sets the event itself more
# than half of these hang.
_WAITS_WITHOUT_REST = """
from app.stopping import stopping_at_signals
stopping = stopping_at_signals()
print("waits", flush=True)
while not stopping.wait(0):
    pass
"""


def test_a_signal_in_the_middle_of_a_wait_is_no_deadlock() -> None:
    for _ in range(12):
        command = [sys.executable, "-c", _WAITS_WITHOUT_REST]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as waiting:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            waiting.terminate()
            try:
                assert waiting.wait(PATIENCE) == 0
            finally:
                waiting.kill()

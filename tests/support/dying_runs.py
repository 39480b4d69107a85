"""Workers of the cloud layer that kill themselves at a point of a run: before a transaction, at its
end, or after it.

Run as a program, it speaks as `tests.support.dying_worker` does: a line has the number of the point
(0: none), the answers are the worker's pid and, when it has ended, its exit status.
"""

import os
import signal
import sys
import threading

from dramatiq.worker import WorkerThread

from app import logs
from cloud_jobs import settings as configuration
from cloud_jobs.processes import worker
from cloud_jobs.runtime.job import Jobs
from cloud_jobs.settings import CloudSettings
from tests.support.cloud_layer import MortalStore
from tests.unit.cloud_jobs.runtime.jobs import count_parcel, parcel_counted, shelve_parcel


class DeadlyStore(MortalStore):
    """Kills its process, at a point of what its worker thread does."""

    def _pass(self) -> None:
        if isinstance(threading.current_thread(), WorkerThread):
            super()._pass()

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def jobs() -> Jobs:
    """Those of the runtime's own tests."""
    made = Jobs()
    for one in (count_parcel, parcel_counted, shelve_parcel):
        made.add(one)
    return made


def live() -> None:
    """A worker that nothing happens to."""
    worker.run(_settings(), jobs())


def _settings() -> CloudSettings:
    found = configuration.load()
    logs.configure("worker", "INFO", None)
    return found


def _serve() -> None:
    found = _settings()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            DeadlyStore.dies_at = int(line)
            vars(worker)["Store"] = DeadlyStore
            worker.run(found, jobs())
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()

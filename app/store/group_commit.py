"""Many small writes in one durable commit.

An fsync costs the same for one row as for a hundred. Requests hand in a single statement each; one
thread runs what has gathered in a transaction, and tells all of them once it is on the disk.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from app.store.database import Connection, Database, DatabaseError

T = TypeVar("T")
# Bounds the time that the first of a group waits for the last: 256 inserts take about 5 ms.
GROUP_LIMIT = 256
# Takes the copies of a group and begins to bring them elsewhere; returns what waits for that.
Copying: TypeAlias = Callable[[list[Any]], Callable[[], None]]


class ClosedError(DatabaseError):
    """The committing thread has ended: this process doesn't write there any more."""


@dataclass(frozen=True)
class _Write:
    statement: Callable[[Connection], Any]
    copy: object | None
    done: "asyncio.Future[Any]"


class GroupCommit:
    """The committing thread. ``on_commit`` hears the results of each group, after the commit.

    ``copying``: brings a copy of each write elsewhere, while the group is committed; nobody hears
    of the commit before that is done, or was given up.
    """

    def __init__(
        self,
        database: Database,
        on_commit: Callable[[list[Any]], None],
        copying: Copying | None = None,
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._copying = copying
        self._is_closed = False
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was handed in, then end the thread."""
        self._is_closed = True
        self._writes.put(None)
        self._thread.join()

    async def commit(self, statement: Callable[[Connection], T], copy: object | None = None) -> T:
        """Run ``statement`` (one SQL statement) in the next group; returns once it is durable.

        ``copy`` is what ``copying`` takes elsewhere. Raises what the statement or the commit
        raised: then nothing of the group was kept. :class:`ClosedError` after :meth:`stop`.
        """
        if self._is_closed:
            raise ClosedError("this process has let go of the database")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writes.put(_Write(statement, copy, done))
        return await done

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._gather()
            if group:
                self._commit(group)

    def _gather(self) -> tuple[list[_Write], bool]:
        """Wait for one write and take what else is there; True at the end."""
        group: list[_Write] = []
        write = self._writes.get()
        while write is not None:
            group.append(write)
            if len(group) == GROUP_LIMIT or self._writes.empty():
                return group, False
            write = self._writes.get()
        return group, True

    def _commit(self, group: list[_Write]) -> None:
        # One call into the loop for the whole group: waking it costs a system call.
        loop = group[0].done.get_loop()
        try:
            wait_for_copies = self._copy(group)
            with self._database.transaction() as connection:
                results = [write.statement(connection) for write in group]
            wait_for_copies()
        except Exception as error:  # whoever waits must hear of any failure
            loop.call_soon_threadsafe(_fail, group, error)
            return
        self._on_commit(results)
        loop.call_soon_threadsafe(_resolve, group, results)

    def _copy(self, group: list[_Write]) -> Callable[[], None]:
        copies = [write.copy for write in group if write.copy is not None]
        return self._copying(copies) if self._copying and copies else _nothing


def _nothing() -> None:
    """No copies, nothing to wait for."""


def _resolve(group: list[_Write], results: list[Any]) -> None:
    for write, result in zip(group, results, strict=True):
        if not write.done.cancelled():  # the request may have gone away meanwhile
            write.done.set_result(result)


def _fail(group: list[_Write], error: Exception) -> None:
    for write in group:
        if not write.done.cancelled():
            write.done.set_exception(error)

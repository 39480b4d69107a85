"""Who has the database open: nobody takes it from under them, nobody is waited for in vain."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from app.store.database import Database, DatabaseError, open_database
from app.store.users import in_use, using, wait_until_unused

AT_ONCE, A_WHILE = timedelta(0), timedelta(seconds=20)
USER = (
    "import sys, pathlib, time; from app.store.database import open_database; "
    "database = open_database(pathlib.Path(sys.argv[1])); print('open', flush=True); time.sleep(99)"
)
INSERT = "INSERT INTO echoes VALUES ('reply-1', 'id', 'sent', 1)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.db"


def test_it_is_in_use_until_all_of_it_is_closed(path: Path) -> None:
    assert not in_use(path)
    database = open_database(path)
    database.close()  # this thread's connection alone
    assert in_use(path)
    assert not wait_until_unused(path, AT_ONCE)
    database.close_all()
    assert wait_until_unused(path, AT_ONCE)


def test_each_user_counts(path: Path) -> None:
    first, second = open_database(path), open_database(path)
    first.close_all()
    assert in_use(path)
    with using(path):
        second.close_all()
        assert in_use(path)
    assert not in_use(path)


def test_a_reader_of_the_file_is_no_user(path: Path) -> None:
    open_database(path).close_all()
    reader = Database(path)
    assert reader.all("SELECT * FROM inbox") == []
    assert not in_use(path)
    reader.close()


@pytest.mark.thorough
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_user_that_dies_lets_go(path: Path, signum: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert in_use(path)
        waited: list[bool] = []
        waiting = threading.Thread(target=lambda: waited.append(wait_until_unused(path, A_WHILE)))
        waiting.start()
        process.send_signal(signum)
        waiting.join()
    assert waited == [True]


def test_once_closed_no_thread_can_do_anything(path: Path) -> None:
    database = open_database(path)
    began, closed = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        with database.transaction() as connection:
            connection.execute(INSERT)
            began.set()
            closed.wait()
            connection.execute("DELETE FROM echoes")

    def survive() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=survive)
    worker.start()
    began.wait()
    database.close_all()
    closed.set()
    worker.join()
    assert [isinstance(error, DatabaseError) for error in failed] == [True]
    with pytest.raises(DatabaseError):
        database.all("SELECT 1")  # of a thread that had none yet
    again = open_database(path)
    assert again.all("SELECT * FROM echoes") == []  # what was under way is taken back
    with again.transaction() as connection:  # and holds up nobody
        connection.execute(INSERT)
    again.close_all()


def test_what_was_begun_can_t_be_committed_any_more(path: Path) -> None:
    database = open_database(path)

    def commit_late() -> None:
        with database.transaction() as connection:
            connection.execute(INSERT)
            closing = threading.Thread(target=database.close_all)
            closing.start()
            closing.join()

    with pytest.raises(DatabaseError):
        commit_late()
    database.close()
    assert open_database(path).all("SELECT * FROM echoes") == []


@pytest.mark.thorough
def test_threads_in_the_middle_of_a_statement_survive_it(path: Path) -> None:
    """Closing their connections under them would end the process."""
    for _ in range(20):
        database = open_database(path)
        ready = threading.Barrier(5)
        failed: list[type[BaseException]] = []

        def work(
            database: Database = database,
            ready: threading.Barrier = ready,
            failed: list[type[BaseException]] = failed,
        ) -> None:
            try:
                database.all("SELECT 1")
                ready.wait()
                while True:
                    database.all("SELECT * FROM sqlite_master")
                    with database.transaction(durable=False) as connection:
                        connection.execute("DELETE FROM echoes")
            except BaseException as error:
                failed.append(type(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        ready.wait()
        database.close_all()
        for thread in threads:
            thread.join()
        assert len(failed) == 4
        assert all(issubclass(one, DatabaseError) for one in failed)

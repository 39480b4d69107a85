"""Has guests talk while something breaks, and counts afterwards what became of each message."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.rehearsal.layout import PROJECT
from tests.rehearsal.shell import RehearsalError, run
from tests.rehearsal.talking import LINGER_SECONDS, SECRET_VARIABLE
from tests.rehearsal.verdict import Handed, Told, Verdict, judge

# What is on its way to a guest when the last message is answered may be one that they have had.
QUIET_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Outside:
    """Where guests talk from, and to. ``prefix``: the words before a command that runs there."""

    sandbox: str
    door: str
    secret: str = field(repr=False)
    host: str | None = None
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """All that was told and handed over in a talk."""

    told: tuple[Told, ...]
    handed: tuple[Handed, ...]
    waiting: int = 0  # webhooks that the sandbox still posts

    @property
    def verdict(self) -> Verdict:
        """What is lost and what came twice."""
        return judge(self.told, self.handed)

    @property
    def is_settled(self) -> bool:
        """Whether every message is accepted or given up, and every accepted one answered."""
        return not self.waiting and not self.verdict.lost


@dataclass
class Talk:
    """Guests who talk; the record is theirs, the ledger the sandbox's."""

    outside: Outside
    record: Path
    popen: "subprocess.Popen[bytes]"
    began: float

    def stop(self) -> None:
        """Have them fall silent, and wait until what they wrote was taken or given up.

        Raises:
            RehearsalError: The talking had failed before: its end says nothing.
        """
        if self.popen.poll() is not None and self.popen.returncode:
            raise RehearsalError(f"the guests fell silent by themselves:\n{self._said()}")
        self.popen.terminate()
        try:
            self.popen.wait(LINGER_SECONDS + 30)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise RehearsalError("the guests talk on after their end") from None

    def count(self) -> Account:
        """What stands in the record and the ledger at this moment.

        Raises:
            RehearsalError: The sandbox lacks what was written to it: it was started anew, or more
                was written than it remembers.
        """
        # The record first: what is in it is in the ledger by then, and not the other way round.
        record = self.record.read_text()
        return account(record, ledger(self.outside, self.began))

    def settle(self, seconds: float) -> Account:
        """Count as soon as all is settled, after ``seconds`` as it is then."""
        deadline = time.monotonic() + seconds
        while not (found := self.count()).is_settled and time.monotonic() < deadline:
            time.sleep(1)
        time.sleep(QUIET_SECONDS)
        return self.count() if found.is_settled else found

    def _said(self) -> str:
        log = self.record.with_suffix(".log")
        return "\n".join(log.read_text().splitlines()[-15:])


@contextmanager
def talking(
    outside: Outside, *, rate: float = 10, guests: int = 40, count: int | None = None
) -> Iterator[Talk]:
    """Guests who talk from now on, until they are stopped or this ends."""
    with tempfile.TemporaryDirectory(prefix="portiere-talk-") as scratch:
        record = Path(scratch, "record.jsonl")
        record.touch()
        command = [
            *outside.prefix,
            *(sys.executable, "-m", "tests.rehearsal.talking"),
            *("--sandbox", outside.sandbox, "--door", outside.door),
            *(("--host", outside.host) if outside.host else ()),
            *("--rate", str(rate), "--guests", str(guests), "--record", str(record)),
            *(("--count", str(count)) if count is not None else ()),
        ]
        began = ledger(outside, 2 * time.time())["now"] / 1000
        environment = {**os.environ, SECRET_VARIABLE: outside.secret}
        with record.with_suffix(".log").open("wb") as log:
            popen = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            yield Talk(outside, record, popen, began)
        finally:
            popen.kill()
            popen.wait()


def ledger(outside: Outside, since: float) -> dict[str, Any]:
    """The sandbox's ledger from a moment on, in seconds since the epoch."""
    url = f"{outside.sandbox}/sandbox/ledger?since={since * 1000:.0f}"
    answer = run(*outside.prefix, "curl", "--silent", "--fail", "--max-time", "30", url)
    found: dict[str, Any] = json.loads(answer)
    return found


def account(record: str, found: dict[str, Any]) -> Account:
    """Put the guests' record and the sandbox's ledger together.

    Raises:
        RehearsalError: The ledger lacks what the record says was written.
    """
    lines = [json.loads(line) for line in record.splitlines() if line.endswith("}")]
    taken = {line["key"]: line["accepted_at"] for line in lines if "accepted_at" in line}
    written = {f"reply-{one['uuid']}": one for one in found["written"]}
    taken |= {key: one["accepted_at"] and one["accepted_at"] / 1000 for key, one in written.items()}
    told = [line for line in lines if "at" in line]
    forgotten = [one for one in told if one["way"] == "provider" and one["key"] not in written]
    if forgotten:
        raise RehearsalError(
            f"the sandbox has forgotten {len(forgotten)} messages: it was started anew, or more "
            "was written than it remembers. Nothing can be said of this talk."
        )
    return Account(
        told=tuple(Told(one["key"], one["at"], taken.get(one["key"])) for one in told),
        handed=tuple(
            Handed(one["correlation_id"], one["received_at"] / 1000, one["source"])
            for one in found["handed"]
        ),
        waiting=sum(one["state"] == "waiting" for one in written.values()),
    )

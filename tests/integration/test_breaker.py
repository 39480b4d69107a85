"""Spoki failing half of the time, or wholly: the breaker opens, tries, closes; no message twice."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.database import Database
from tests.integration.conftest import IMPATIENT
from tests.support.events import inbound
from tests.support.guest import (
    SEAL,
    all_settled,
    fault,
    post,
    sends,
    sent_keys,
    settled,
    states,
    write,
)
from tests.support.processes import Stack, eventually, stack

PHONES = [f"+39000000010{number}" for number in range(4)]
EACH = 4


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A whole stack whose breaker rests a second, and opens on four calls."""
    shorter = {
        "PORTIERE_BREAKER_REST": "1",
        "PORTIERE_BREAKER_FEWEST_CALLS": "4",
        "PORTIERE_SEND_ECHO_WAIT": "1",
    }
    with stack(tmp_path, **(IMPATIENT | shorter)) as found:
        found.start_sandbox()
        found.start_gateway()
        found.start_worker()
        yield found


def breaker(found: Stack) -> str:
    """The state that others see."""
    row = Database(found.database).one("SELECT state FROM breakers WHERE name = 'spoki'")
    return str(row["state"]) if row else "never open"


def changes(found: Stack) -> list[str]:
    """The states that the worker's breaker went through, in order."""
    lines = found.worker.log.read_text().splitlines()
    changed = (line for line in lines if '"breaker_changed"' in line)
    return [line.split('"state": "')[1].split('"')[0] for line in changed]


def calls(found: Stack) -> list[dict[str, Any]]:
    """All that Spoki was asked, accepted or not."""
    answer = httpx.get(f"{found.sandbox_url}/sandbox/sends").raise_for_status()
    return list(answer.json()["results"])


def test_half_of_spokis_answers_are_errors(own: Stack) -> None:
    fault(own, "server_error", status=500, every=2)
    written = defaultdict(list)
    for number in range(EACH):
        for phone in PHONES:
            event = inbound(f"Ciao {number}", phone)
            written[phone].append(f"reply-{event['data']['uuid']}")
            assert post(own, event).status_code == 200
    eventually(lambda: "open" in changes(own), "it opens")
    eventually(lambda: "closed" in changes(own), "it closes")
    httpx.delete(f"{own.sandbox_url}/sandbox/faults").raise_for_status()
    all_settled(own, EACH * len(PHONES))
    assert changes(own)[:2] == ["open", "half_open"]
    assert set(sent_keys(own).values()) == {1}
    heard = defaultdict(list)
    for send in sends(own):
        heard[send["phone"]].append(send["metadata"]["correlation_id"])
    assert heard == written


def test_while_it_is_open_what_waits_has_burned_nothing(own: Stack) -> None:
    fault(own, "server_error", status=503)
    for number in range(8):
        write(own, "Buongiorno!", f"+3900000002{number:02d}")
    eventually(lambda: breaker(own) != "never open", "it opens")
    eventually(lambda: states(own).total() == 8, "all are answered")
    write(own, "Buongiorno!", "+390000000300")
    eventually(lambda: states(own).total() == 9, "and one more")
    row = Database(own.database).one(
        "SELECT state, attempts FROM outbox WHERE guest = ?", (SEAL.index("+390000000300"),)
    )
    assert row is not None
    assert (row["state"], row["attempts"]) == ("pending", 0)
    # One call for each time that it was half-open, and those that opened it.
    eventually(lambda: changes(own).count("half_open") >= 3, "it has tried three times")
    probes = len(calls(own)) - 8
    assert probes <= changes(own).count("half_open")
    assert not states(own)["failed"]

    httpx.delete(f"{own.sandbox_url}/sandbox/faults").raise_for_status()
    eventually(lambda: breaker(own) == "closed" and settled(own), "it closes and all is sent")
    assert sorted(sent_keys(own).values()) == [1] * 9
    kinds = [row["kind"] for row in Database(own.database).all("SELECT kind FROM alerts")]
    assert [kind for kind in kinds if "breaker" in kind] == ["breaker_open", "breaker_closed"]


def test_an_open_breaker_stays_open_through_a_restart(own: Stack) -> None:
    fault(own, "server_error", status=503)
    for number in range(8):
        write(own, "Buongiorno!", f"+3900000002{number:02d}")
    eventually(lambda: breaker(own) == "open", "it opens")
    own.worker.kill()
    asked = len(calls(own))
    own.start_worker()
    eventually(lambda: "half_open" in changes(own), "it tries")
    eventually(lambda: len(calls(own)) > asked, "with one call")
    httpx.delete(f"{own.sandbox_url}/sandbox/faults").raise_for_status()
    eventually(lambda: breaker(own) == "closed" and settled(own), "it closes and all is sent")
    assert sorted(sent_keys(own).values()) == [1] * 8


def test_refusals_and_slowing_down_do_not_open_it(own: Stack) -> None:
    fault(own, "rate_limited", retry_after=0, count=6)
    fault(own, "no_credit", count=1)
    for number in range(8):
        write(own, "Buongiorno!", f"+3900000002{number:02d}")
    eventually(lambda: states(own).total() == 8, "all are answered")
    eventually(lambda: len(calls(own)) >= 8, "Spoki has refused enough")
    assert breaker(own) == "never open"

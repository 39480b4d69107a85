"""A guest at the sandbox's phone, and what may be asked of the sandbox and the database."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import httpx

from app.sealing import Seal
from app.store.database import Database
from tests.support.events import GUEST, encode, signed
from tests.support.processes import PORTIERE, WEBHOOK_SECRET, Stack, eventually

QUESTION = "Buongiorno, a che ora posso fare il check-in?"
# The keys of a stack (tests.support.processes).
SEAL: Final = Seal({"k1": b"s" * 32}, b"i" * 32)


def write(stack: Stack, text: str = QUESTION, phone: str = GUEST) -> str:
    """Write as a guest; the uuid of the message."""
    answer = httpx.post(f"{stack.sandbox_url}/sandbox/inbound", json={"phone": phone, "text": text})
    return str(answer.raise_for_status().json()["uuid"])


def turn(stack: Stack, text: str, phone: str, payload: str | None = None) -> list[str]:
    """Write as a guest, and wait until that is dealt with; what came back, which may be nothing.

    ``payload`` is that of a button that was tapped.
    """
    before = len(heard(stack, phone))
    written = {"phone": phone, "text": text, "payload": payload}
    answer = httpx.post(f"{stack.sandbox_url}/sandbox/inbound", json=written)
    (event_id,) = answer.raise_for_status().json()["event_uuids"]
    await_dealt_with(stack, event_id)
    return heard(stack, phone)[before:]


def await_dealt_with(stack: Stack, event_id: str) -> None:
    """Wait until a guest's message is done, and its answer sent if it has one."""
    database = Database(stack.database)
    eventually(lambda: database.one(_DEALT_WITH, (event_id,)), "a message is dealt with")


def heard(stack: Stack, phone: str) -> list[str]:
    """The texts that a guest was sent, in order."""
    answer = httpx.get(f"{stack.sandbox_url}/sandbox/messages", params={"phone": phone})
    messages = answer.raise_for_status().json()["results"]
    return [message["text"] for message in messages if message["direction"] == "Outbound"]


def portiere(stack: Stack, *arguments: str, lines: Iterable[dict[str, Any]] = ()) -> str:
    """Run a command of ``portiere`` with ``lines`` as its input, as JSON; what it printed."""
    done = subprocess.run(
        [PORTIERE, *arguments],
        env={**os.environ, **stack.env},
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def alerts(stack: Stack, phone: str) -> dict[str, str]:
    """What the desk was told about a guest, by the kind of alert."""
    rows = Database(stack.database).all(
        "SELECT key, kind, sealed_text FROM alerts WHERE guest = ? ORDER BY id",
        (SEAL.index(phone),),
    )
    return {row["kind"]: SEAL.open(row["sealed_text"], f"alerts.text:{row['key']}") for row in rows}


def post(stack: Stack, event: dict[str, Any]) -> httpx.Response:
    """Post an event at the gateway as Spoki would."""
    body = encode(event)
    return httpx.post(
        f"{stack.gateway_url}/webhooks/spoki", content=body, headers=signed(body, WEBHOOK_SECRET)
    )


def fault(stack: Stack, name: str, **settings: Any) -> None:
    """Switch a fault of the sandbox on."""
    httpx.put(f"{stack.sandbox_url}/sandbox/faults/{name}", json=settings).raise_for_status()


def sends(stack: Stack) -> list[dict[str, Any]]:
    """The bodies of the sends that Spoki accepted, in order: what guests got."""
    answer = httpx.get(f"{stack.sandbox_url}/sandbox/sends", params={"accepted": True})
    return [call["body"] for call in answer.raise_for_status().json()["results"]]


def sent_keys(stack: Stack) -> Counter[str]:
    """How often each of our messages was accepted."""
    return Counter(send["metadata"]["correlation_id"] for send in sends(stack))


def states(stack: Stack) -> Counter[str]:
    """How many outbox rows are in each state."""
    rows = Database(stack.database).all("SELECT state, count(*) AS n FROM outbox GROUP BY state")
    return Counter({row["state"]: row["n"] for row in rows})


def open_rows(stack: Stack) -> int:
    """Rows of inbox and outbox that are not finished."""
    row = Database(stack.database).one(
        "SELECT (SELECT count(*) FROM inbox WHERE state = 'received') + (SELECT count(*) "
        "FROM outbox WHERE state IN ('pending', 'sending', 'unknown')) AS n"
    )
    return int(row["n"]) if row else 0


def settled(stack: Stack) -> bool:
    """Whether nothing is open."""
    return open_rows(stack) == 0


def all_settled(stack: Stack, messages: int) -> None:
    """Wait until ``messages`` were answered and nothing is open."""
    eventually(
        lambda: states(stack).total() == messages and settled(stack),
        f"{messages} messages are answered and settled",
    )


_DEALT_WITH = """
SELECT 1 FROM inbox WHERE event_id = ? AND state = 'done' AND NOT EXISTS (
    SELECT 1 FROM outbox
    WHERE inbox_id = inbox.id AND state IN ('pending', 'sending', 'unknown')
)
"""

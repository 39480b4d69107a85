"""A guest at the sandbox's phone, and what may be asked of the sandbox and the database."""

from collections import Counter
from typing import Any

import httpx

from app.store.database import Database
from tests.support.events import GUEST, encode, signed
from tests.support.processes import WEBHOOK_SECRET, Stack, eventually

QUESTION = "Buongiorno, a che ora posso fare il check-in?"


def write(stack: Stack, text: str = QUESTION, phone: str = GUEST) -> str:
    """Write as a guest; the uuid of the message."""
    answer = httpx.post(f"{stack.sandbox_url}/sandbox/inbound", json={"phone": phone, "text": text})
    return str(answer.raise_for_status().json()["uuid"])


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


def all_settled(stack: Stack, messages: int, seconds: float = 30) -> None:
    """Wait until ``messages`` were answered and nothing is open."""
    eventually(
        lambda: states(stack).total() == messages and settled(stack),
        f"{messages} messages are answered and settled",
        seconds,
    )

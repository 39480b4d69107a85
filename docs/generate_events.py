"""Writes docs/events.md from `app.events.catalogue`: ``python docs/generate_events.py``."""

from pathlib import Path
from typing import Any

from app.events.catalogue import CATALOGUE, EventKind

PAGE = Path(__file__).with_name("events.md")
HEAD = """\
# What the cloud is told

Where `PORTIERE_CLOUD_URL` is set, the desk tells the cloud what happens, by
`POST <cloud>/api/events`, signed as [api.md](api.md) says. Without it nothing is written down.
Made by `docs/generate_events.py` from `app/events/catalogue.py`.

```json
{"events": [{"event_id": "…", "name": "message.answered", "guest": "<64 hex digits or null>",
             "occurred_at": "2026-11-27T06:00:00+00:00", "payload": {}}]}
```

The cloud answers `200 {"accepted": [ids], "rejected": [{"event_id": …, "reason": …}]}`, each event
in one of the two. It must take an event that it has already as accepted.

**Who it is about.** No payload has a guest's phone, name, mail or words. `guest` is the blind
index of their phone (HMAC under `PORTIERE_INDEX_KEY`): always the same for a guest, and nothing to
anybody without that key. A command's result is what its handler says:
[commands.md](commands.md).

**What is promised.** An event is a row (its payload sealed), written in the transaction that causes
it. It is told at least once, and once after the cloud's dedupe by `event_id`; the events of a guest
in the order in which they happened. A batch has up to 100 events or 256 KiB.

**When the cloud doesn't take it.** The whole queue waits, and is tried again after a random time
below a bound that doubles up to 5 minutes, and at once when the cloud answers anything else
(the pull of commands). `Retry-After` is kept to, up to 5 minutes. Nothing is parked for that before
it has waited `PORTIERE_EVENTS_PARK_AFTER`; then it is, with one alert a day. What the cloud
*rejects*, or refuses alone with 413 or 422 (a batch so refused is halved until the culprit is
alone), is parked at once, and the guest's later events go on without it. What is parked stands in
[`portiere dead-letters`](dead-letters.md) until a person replays it (then it comes late: its
`occurred_at` says of when it is) or discards it. While the queue `events` is paused, nothing is
told and nothing grows too old.

Delivered rows are deleted after 7 days: long enough to look into what the cloud says it never got.

**Of your own.** A tool at the property may tell the cloud something by `POST /api/events` of the
gateway (scope `events`): `{"name": "custom.boiler.cold", "payload": {…}, "id": "optional"}`. It is
kept before it is answered with 202, and told as above, without a guest. The same `id` by the same
client is the same event.

## The events

"""


def _type(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kind = str(schema.get("format") or schema.get("type") or "any JSON")
    return kind.replace("-time", " and time")


def _section(name: str, kind: EventKind) -> str:
    # As it is written, so that a price is text.
    fields = kind.payload.model_json_schema(mode="serialization").get("properties", {})
    lines = [f"### `{name}`", "", kind.when, ""]
    if kind.personal:
        lines += [f"Personal, and why: {kind.personal}", ""]
    if not fields:
        return "\n".join([*lines, "The payload is empty.", "", ""])
    lines += ["| field | type | |", "|---|---|---|"]
    lines += [
        f"| `{field}` | {_type(schema)} | {schema.get('description', '')} |"
        for field, schema in fields.items()
    ]
    return "\n".join([*lines, "", ""])


def page() -> str:
    """The whole page."""
    sections = [_section(name, kind) for name, kind in CATALOGUE.items()]
    return HEAD + "".join(sections).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

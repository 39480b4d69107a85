"""What is at rest holds nothing of a guest in the clear: database, logs, audit, Redis, health,
metrics; nor does a language model, or the cloud's book of events, hear who writes. And no secret
is in a log or in the audit."""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
import redis

from app.guests.guests import FIND, Guests
from app.store.database import open_database
from tests.integration.conftest import IMPATIENT
from tests.support.cloud import CLIENT, CLIENT_KEY, NODE_KEY, Cloud
from tests.support.events import inbound
from tests.support.guest import (
    SEAL,
    alerts,
    fault,
    portiere,
    post,
    sends,
    settled,
    turn,
)
from tests.support.model import KEY, NAME, ModelDouble, model_double
from tests.support.processes import (
    API_KEY,
    REDIS_PASSWORD,
    WEBHOOK_SECRET,
    Stack,
    eventually,
    stack,
)
from tests.support.scripted import Answer, scripted


@dataclass(frozen=True)
class Person:
    """An invented guest; ``word`` is in everything that they write."""

    phone: str
    name: str
    email: str
    word: str

    @property
    def traces(self) -> list[bytes]:
        """What must be nowhere; the phone as it is written with and without its country."""
        surname = self.name.split()[1]
        parts = (self.phone, self.phone[1:], self.phone[-9:], surname, self.email, self.word)
        return [part.encode() for part in parts]


ZENOBIA: Final = Person(
    "+390009871234", "Zenobia Quarzolini", "zq.privata@example.invalid", "tartarughino"
)
WALBURGA: Final = Person(
    "+390008762345", "Walburga Knirschfels", "wk.privat@example.invalid", "murmelbahnhof"
)
GUESTS: Final = (ZENOBIA, WALBURGA)
READER: Final = base64.b64encode(b"r" * 32).decode()  # may read the metrics
CLOUD_KEYS: Final = [base64.b64encode(key).decode() for key in (CLIENT_KEY, NODE_KEY)]


@pytest.fixture(scope="module")
def model() -> Iterator[ModelDouble]:
    """A language model that says every answer as it is."""
    with model_double() as found:
        yield found


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud that commands and is told."""
    found = Cloud(longest_wait=1)
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def lived_in(
    tmp_path_factory: pytest.TempPathFactory, model: ModelDouble, cloud: Cloud
) -> Iterator[Stack]:
    """A stack on which guests have booked, written, been answered, and been in danger; and on which
    the cloud commanded what is about them."""
    directory = tmp_path_factory.mktemp("privacy")
    with scripted(lambda _asked: Answer(200, b"ok")) as slack:
        overrides = IMPATIENT | {
            "PORTIERE_LOG_DIR": str(directory / "log"),
            "PORTIERE_LOG_LEVEL": "DEBUG",
            "PORTIERE_ALERT_SLACK_URL": f"{slack.url}/services/invented",
            "PORTIERE_ALERT_WHATSAPP": "+390000000009",
            "PORTIERE_LLM_BASE_URL": model.url,
            "PORTIERE_LLM_MODEL": NAME,
            "PORTIERE_LLM_API_KEY": KEY,
            "PORTIERE_API_CLIENTS": json.dumps(
                {
                    "prometheus": {"keys": [READER], "scopes": ["metrics"]},
                    CLIENT: {"keys": CLOUD_KEYS[:1], "scopes": ["commands", "guests"]},
                }
            ),
            "PORTIERE_QUIET_FROM": "12:00",  # until the same: never
            "PORTIERE_QUIET_UNTIL": "12:00",
            "PORTIERE_CLOUD_URL": cloud.url,
            "PORTIERE_CLOUD_KEY": CLOUD_KEYS[1],
        }
        with stack(directory, **overrides) as found:
            found.start_sandbox()
            found.start_gateway()
            found.worker.start()  # its log is a file of its own here: the first answer tells
            found.node.start()
            for guest in GUESTS:
                live(found, guest, cloud)
            eventually(lambda: settled(found), "all is settled")
            eventually(lambda: len(slack.asked) >= len(GUESTS), "the desk was told")
            yield found


def live(found: Stack, guest: Person, cloud: Cloud) -> None:
    """All that happens with a guest, failures included: they are what logs tell of."""
    today = dt.datetime.now(dt.UTC).date()
    person = {"phone": guest.phone, "name": guest.name, "email": guest.email}
    stay = {
        "channel": "direct",
        "code": f"P-{guest.phone[-4:]}",
        "status": "confirmed",
        "phone": guest.phone,
        "arrival": f"{today}",
        "departure": f"{today + dt.timedelta(days=3)}",
    }
    portiere(found, "guests", "put", "--json", "-", lines=[person])
    portiere(found, "bookings", "put", "--json", "-", lines=[stay])
    assert turn(found, f"Where is breakfast, {guest.word}?", guest.phone)
    command(found, cloud, guest)
    eventually(lambda: settled(found), "what the cloud wanted to say is said")
    assert turn(found, f"Could we have a late check-out? {guest.word}", guest.phone)
    assert turn(found, "Yes please", guest.phone)
    fault(found, "refuse", count=1)
    assert turn(found, f"What is the wifi password? {guest.word}", guest.phone)
    # As people write who take it for a letter: the language model is not to see that.
    who = f"{guest.name} ({guest.phone}, {guest.email})"
    letter = f"Good morning, {who} here, where and until what time can we have breakfast?"
    assert turn(found, letter, guest.phone)
    fault(found, "undeliverable", count=1)
    assert turn(found, f"Where can we park? {guest.word}", guest.phone)
    assert turn(found, f"Help, there is a fire in the room! {guest.word}", guest.phone)
    told = alerts(found, guest.phone)
    assert guest.name in told["emergency"]
    assert guest.word in told["emergency"]
    # What can't be read is written about as well.
    post(found, inbound(guest.word, guest.phone, content_type=17, contact={"first_name": []}))
    post(found, inbound(guest.word, f"{guest.phone}x"))


def command(found: Stack, cloud: Cloud, guest: Person) -> None:
    """All ways a command may go: done, refused, malformed, unsigned; pushed and pulled."""
    text = {"phone": guest.phone, "text": f"Good evening, {guest.name}: {guest.word}"}
    offered = [
        cloud.offer("UPDATE_GUEST", {"phone": guest.phone, "email": guest.email}),
        cloud.offer("TRANSLATE_AND_SEND", text | {"text": f"Guten Abend, {guest.name}"}),
        cloud.offer("QUEUE_UPSELL", {"phone": guest.phone, "kind": "pets"}),
    ]
    asked = [
        ("SEND_MESSAGE", text, 202),
        ("SEND_MESSAGE", text | {guest.name: guest.email}, 422),
        ("CREATE_GUEST", {"phone": f"{guest.phone}{guest.word}", "name": guest.name}, 422),
    ]
    api = f"{found.gateway_url}/api"
    with httpx.Client(auth=cloud.auth) as client:
        for number, (name, payload, status) in enumerate(asked):
            key = {"Idempotency-Key": f"{guest.phone[-4:]}-{number}"}
            body = {"name": name, "payload": payload}
            answer = client.post(f"{api}/commands", json=body, headers=key)
            assert answer.status_code == status, answer.text
        stays = client.get(f"{api}/guests/active").json()["stays"]
        assert SEAL.index(guest.phone).hex() in {stay["guest"] for stay in stays}
        assert client.get(f"{api}/commands/{guest.word}").status_code == 404
    assert httpx.post(f"{api}/commands", json=text).status_code == 401
    eventually(lambda: all(cloud.is_settled(one) for one in offered), "the cloud's are settled")


def search(files: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Every trace of a guest: where it was found, and what."""
    return [
        (name, trace)
        for name, content in files.items()
        for guest in GUESTS
        for trace in guest.traces
        if trace in content
    ]


def files(paths: Iterator[Path]) -> dict[str, bytes]:
    """What the files hold, by their names."""
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def test_the_search_finds_what_is_not_sealed(lived_in: Stack) -> None:
    exported = {
        guest.name: portiere(lived_in, "guests", "export", guest.phone).encode() for guest in GUESTS
    }
    found = {trace for _, trace in search(exported)}
    assert found == {trace for guest in GUESTS for trace in guest.traces}
    assert search({"spoki": repr(sends(lived_in)).encode()}), "and Spoki was told in the clear"


def test_the_database_holds_nothing_in_the_clear(lived_in: Stack) -> None:
    held = files(lived_in.directory.glob("portiere.db*"))
    assert {"portiere.db", "portiere.db-wal"} <= set(held)
    assert sum(map(len, held.values())) > 10_000
    assert search(held) == []


def test_the_logs_hold_nothing_in_the_clear(lived_in: Stack) -> None:
    logs = files(lived_in.directory.rglob("*.log"))
    # The sandbox is no part of a deployed system, but then it shouldn't either.
    programs = {"gateway.log", "worker.log", "node.log"}
    assert programs | {"redis.log", "serve.log", "work.log"} <= set(logs)
    for event in (b"message_sent", b"message_in_doubt", b"alert_delivered"):
        assert event in logs["worker.log"]
    for event in (b"events_told", b"command_finished"):
        assert event in logs["node.log"] + logs["worker.log"]
    assert search(logs) == []
    assert secrets(logs) == []


def secrets(files: dict[str, bytes]) -> list[tuple[str, str]]:
    """Every secret of the fixtures: where it was found, and which."""
    known = (API_KEY, WEBHOOK_SECRET, REDIS_PASSWORD, KEY, READER, *CLOUD_KEYS)
    return [
        (name, secret)
        for name, content in files.items()
        for secret in known
        if secret.encode() in content
    ]


def test_the_audit_holds_nothing_in_the_clear(lived_in: Stack) -> None:
    told = portiere(lived_in, "audit", "--json").encode()
    audit = {"audit": told}
    assert told.count(b"command.") + told.count(b"/api/commands") >= 3 * len(GUESTS)
    assert search(audit) == []
    assert secrets(audit) == []
    assert secrets({"settings": repr(lived_in.env).encode()}), "and the search finds them"


def test_the_cloud_is_told_what_happened_and_not_to_whom(lived_in: Stack, cloud: Cloud) -> None:
    assert cloud.violations == []
    names = {event["name"] for event in cloud.events.values()}
    assert {"message.received", "message.sent", "command.finished"} <= names
    assert search({"events": repr(cloud.events).encode()}) == []


def test_redis_holds_nothing_in_the_clear(lived_in: Stack) -> None:
    client = redis.Redis.from_url(lived_in.redis_url)
    client.config_set("rdbcompression", "no")  # or a trace could hide in what is compressed
    assert search(redis_files(client, lived_in.directory)) == []
    # The append-only file has all that went through; the search would have seen it.
    client.rpush("canary", ZENOBIA.word)
    found = {name.partition(".")[2] for name, _ in search(redis_files(client, lived_in.directory))}
    assert {"rdb", "aof.1.incr.aof"} <= found


def redis_files(client: "redis.Redis", directory: Path) -> dict[str, bytes]:
    """What Redis has written, once it has written all it holds."""
    before = client.lastsave()
    client.save()
    assert client.lastsave() >= before
    append_only = files(directory.glob("appendonlydir/*"))
    saved = files(directory.glob("dump.rdb"))
    return append_only | saved


def test_health_tells_nothing_of_guests(lived_in: Stack) -> None:
    assert search({"health": httpx.get(f"{lived_in.gateway_url}/health").content}) == []


def test_metrics_tell_nothing_of_guests(lived_in: Stack) -> None:
    bearer = {"Authorization": f"Bearer {READER}"}
    scraped = httpx.get(f"{lived_in.gateway_url}/metrics", headers=bearer)
    assert scraped.status_code == 200
    assert b"# TYPE portiere_" in scraped.content
    assert search({"metrics": scraped.content}) == []


def test_the_language_model_hears_what_is_asked_and_not_by_whom(
    lived_in: Stack, model: ModelDouble
) -> None:
    assert model.refused == []
    assert lived_in.worker.alive()
    heard = repr(model.asked).encode()
    assert b"until what time can we have breakfast" in heard
    found = {trace for _, trace in search({"model": heard})}
    # What they wrote of other things is what it was asked about.
    assert found <= {guest.word.encode() for guest in GUESTS}
    used = open_database(lived_in.database).all("SELECT DISTINCT outcome FROM model_calls")
    assert "used" in {row["outcome"] for row in used}


def test_a_guest_is_looked_up_by_phone_in_one_indexed_query(lived_in: Stack) -> None:
    database = open_database(lived_in.database)
    asked: list[str] = []
    database.connection.set_trace_callback(asked.append)
    found = Guests(database, SEAL).find(ZENOBIA.phone)
    database.connection.set_trace_callback(None)
    assert found is not None
    assert found.name == ZENOBIA.name
    (query,) = asked
    assert query.startswith(FIND.partition("?")[0])
    plan = database.all(f"EXPLAIN QUERY PLAN {FIND}", (SEAL.index(ZENOBIA.phone),))
    assert [row["detail"] for row in plan] == [
        "SEARCH guests USING INDEX sqlite_autoindex_guests_1 (guest=?)"
    ]
    database.close()

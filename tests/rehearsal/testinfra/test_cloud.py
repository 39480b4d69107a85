"""What happens outside reaches guests: mails, Smoobu, flights and weather, on the real hosts.

The mailbox is a real one (dovecot). Smoobu, AeroAPI and OpenWeather are doubles in the world
outside: `tests/support/outside` says what they can't show. What took how long is printed.
"""

import json
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from tests.rehearsal.testinfra.conftest import Outside, Target

pytestmark = pytest.mark.mutating

T = TypeVar("T")
PORTIERE = "sudo -u _portiere env PORTIERE_ENV_FILE=/opt/portiere/etc/portiere.env \
/opt/portiere/current/venv/bin/portiere"
CLOUD = "docker exec -i portiere-cloud-serve-1 portiere cloud"
SANDBOX = "http://127.0.0.1:8090/sandbox"
CONTROL = "http://127.0.0.1:8091/control"
PATIENCE = timedelta(seconds=60)
ROME = ZoneInfo("Europe/Rome")
# Another set of guests and bookings for each run on the same hosts.
RUN = f"{int(time.time()) % 10**6:06}"
MAIL = """\
Authentication-Results: mail.example.invalid; dkim=pass header.d=scidoo.com
From: Scidoo Booking Manager <reservation@scidoo.com>
To: desk@example.invalid
Subject: Confermata - Prenotazione ID {code} - Booking
Date: {now:%a, %d %b %Y %H:%M:%S} +0000
Message-ID: <{code}@sample.invalid>
Content-Type: text/plain; charset="utf-8"
MIME-Version: 1.0

Agenzia Prenotante\t44813 -> Booking
ID Voucher\t{code}
Camera/Alloggio\t1 Suite Maggiore
Struttura Richiesta\tCasa Lumaca
Stato Prenotazione\tConfermata
Ospiti\t2 Adulti
Nome Ospite\tEsempio Franca
Data di Check-in\t{arrival:%d/%m/%Y}
Data di Check-out\t{departure:%d/%m/%Y}
---------------------------------------------------------------
Dati Ospite
Email:fesemp.000000@guest.booking.com
Telefono:
Cellulare:{phone}
---------------------------------------------------------------
Note:
LANGUAGE: DE
"""


class World:
    """The world outside, from within it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def curl(self, url: str, body: dict[str, Any] | None = None) -> Any:
        given = ["--json", json.dumps(body)] if body is not None else []
        answer = self._outside.run("curl", "--silent", "--fail-with-body", *given, url)
        assert answer.returncode == 0, answer.stdout
        return json.loads(answer.stdout)

    def deliver(self, mail: str, name: str) -> None:
        """As a mail server does: written aside, then moved."""
        box = "/srv/mail/desk/Maildir"
        script = (
            f"install -d -o desk -g desk {box} {box}/tmp {box}/new {box}/cur && "
            f"printf %s {shlex.quote(mail)} >{box}/tmp/{name} && "
            f"chown desk:desk {box}/tmp/{name} && mv {box}/tmp/{name} {box}/new/{name}"
        )
        answer = self._outside.run("bash", "-c", script)
        assert answer.returncode == 0, answer.stderr

    def got(self, phone: str) -> list[dict[str, Any]]:
        """The messages that reached a phone, in order."""
        found = self.curl(f"{SANDBOX}/messages")["results"]
        return [one for one in found if one["phone"] == phone and one["direction"] == "Outbound"]

    def calls(self, service: str) -> int:
        return int(self.curl(f"{CONTROL}/calls")[service])


@pytest.fixture(scope="module")
def world(outside: Outside) -> World:
    return World(outside)


def phone(number: int) -> str:
    return f"+39000{RUN}{number}"


def eventually(ask: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {PATIENCE} for {what}")


def booking(mac: Target, code: str) -> dict[str, Any] | None:
    """An open booking of the desk, by its number."""
    lines = mac.host.check_output(f"{PORTIERE} bookings list").splitlines()
    return next((one for one in map(json.loads, lines) if one["code"] == code), None)


def put(mac: Target, kind: str, lines: list[dict[str, Any]]) -> None:
    """Hand guests or bookings in at the desk."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    mac.host.check_output(f"printf %s {shlex.quote(text)} | {PORTIERE} {kind} put --json -")


def start(vps: Target, job: str) -> dict[str, Any]:
    """Start a job of the clock's now, and wait for its end."""
    run_id = vps.host.check_output(f"{CLOUD} start {job}").strip()

    def over() -> dict[str, Any] | None:
        run: dict[str, Any] = json.loads(vps.host.check_output(f"{CLOUD} run {run_id}"))
        return run if run["state"] in {"succeeded", "failed", "timed_out", "cancelled"} else None

    run = eventually(over, f"the end of {job}")
    assert run["state"] == "succeeded", run
    return run


def in_store(vps: Target, query: str) -> list[str]:
    """The one column of what a query finds in the cloud's store."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect('/var/lib/portiere/cloud.db', timeout=10);"
        "print(*(row[0] for row in c.execute(sys.argv[1])), sep='\\n'); c.commit()"
    )
    words = f"python3 -c {shlex.quote(script)} {shlex.quote(query)}"
    found: str = vps.host.check_output(f"docker exec portiere-cloud-serve-1 {words}")
    return found.split()


def knows(vps: Target, stays: list[dict[str, Any]]) -> bool:
    """Whether the cloud has heard of these bookings."""
    return {stay["code"] for stay in stays} <= set(in_store(vps, "SELECT code FROM known_stays"))


def test_a_reservation_mail_becomes_a_guest_and_a_welcome(mac: Target, world: World) -> None:
    # Given a booking that nobody has heard of
    code, guest = f"55{RUN}01", phone(1)
    today = datetime.now(ROME).date()
    assert booking(mac, code) is None
    # When its mail falls into the mailbox
    mail = MAIL.format(
        code=code,
        phone=guest,
        now=datetime.now(UTC),
        arrival=today + timedelta(days=20),
        departure=today + timedelta(days=23),
    )
    began = time.monotonic()
    world.deliver(mail, code)
    # Then the guest is welcomed, in their language, once
    (welcome,) = eventually(lambda: world.got(guest), "the welcome")
    print(f"mail to welcome at the provider: {time.monotonic() - began:.1f} s")
    assert "Esempio Franca" in welcome["text"]
    assert "Guten Tag" in welcome["text"]
    # And the desk has the booking
    held = booking(mac, code)
    assert held is not None
    assert (held["channel"], held["arrival"]) == ("booking.com", str(today + timedelta(days=20)))


def test_smoobus_webhook_changes_a_booking(
    mac: Target, world: World, variables: dict[str, dict[str, Any]]
) -> None:
    # Given a booking that Smoobu told of, through the tunnel
    secret = variables["vps"]["vault_smoobu_webhook_secret"]
    webhook = f"http://bot.example.invalid/webhooks/smoobu/{secret}"
    today = datetime.now(ROME).date()
    code = f"77{RUN}"
    told = {
        "id": int(RUN) + 1,
        "reference-id": code,
        "arrival": str(today + timedelta(days=30)),
        "departure": str(today + timedelta(days=33)),
        "guest-name": "Ada Invented",
        "phone": phone(2),
        "language": "en",
        "channel": {"id": 2001, "name": "Booking.com"},
    }
    began = time.monotonic()
    answer = world.curl(f"{CONTROL}/booking", {"booking": told, "webhook": webhook})
    assert answer["status"] == 200
    eventually(lambda: booking(mac, code), "the booking")
    print(f"webhook to the desk's booking: {time.monotonic() - began:.1f} s")
    # When Smoobu tells that it ends later
    later = str(today + timedelta(days=35))
    changed = {"booking": {**told, "departure": later}, "webhook": webhook}
    world.curl(f"{CONTROL}/booking", {**changed, "action": "updateReservation"})
    # Then so does the desk's

    def ends_later() -> bool:
        held = booking(mac, code)
        return held is not None and held["departure"] == later

    eventually(ends_later, "the later departure")
    assert len(world.got(phone(2))) == 1, "welcomed once"


def test_a_late_flight_is_told_to_each_of_its_guests_once_a_change(
    mac: Target, vps: Target, world: World
) -> None:
    # Given three guests who come by one flight soon, and one who doesn't
    lands = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    # In the evening it lands tomorrow, or in the night that today's guests have booked.
    day = (lands.astimezone(ROME) - timedelta(hours=4)).date()
    number, spoken = f"XX{RUN[-4:]}", f"XX {RUN[-4:]}"
    guests = [phone(10 + one) for one in range(3)]
    other = phone(19)
    put(mac, "guests", [{"phone": one, "language": "en"} for one in (*guests, other)])
    stays = [
        {
            "channel": "direct",
            "code": f"F{RUN}-{place}",
            "status": "confirmed",
            "phone": one,
            "arrival": str(day),
            "departure": str(day + timedelta(days=2)),
            **({"flight_number": spoken} if one != other else {}),
        }
        for place, one in enumerate((*guests, other))
    ]
    put(mac, "bookings", stays)
    eventually(lambda: knows(vps, stays), "the cloud to know of them")
    world.curl(f"{CONTROL}/flight", {"ident": number, "arrives": lands.isoformat()})

    def told() -> list[int]:
        """Of the flight: how to arrive they are told besides."""
        return [sum(spoken in one["text"] for one in world.got(guest)) for guest in guests]

    def look_again(minutes: int) -> None:
        world.curl(f"{CONTROL}/delay", {"ident": number, "minutes": minutes})
        in_store(vps, "UPDATE flights SET ask_at = 0")  # not in a quarter of an hour
        start(vps, "watch-flights")

    look_again(0)
    assert told() == [0, 0, 0]
    # When it turns three hours late
    look_again(180)
    # Then each of them is told, once
    eventually(lambda: told() == [1, 1, 1], "a message to each")
    # And again only when it changes by as much as matters
    look_again(190)
    look_again(230)
    eventually(lambda: told() == [2, 2, 2], "another message to each")
    assert not [one for one in world.got(other) if spoken in one["text"]]


def test_a_weather_warning_reaches_who_is_there(mac: Target, vps: Target, world: World) -> None:
    # Given one guest in the house, and one who comes next week
    today = datetime.now(ROME).date()
    here, coming = phone(30), phone(31)
    put(mac, "guests", [{"phone": one, "language": "it"} for one in (here, coming)])
    stays = [
        {
            "channel": "direct",
            "code": f"W{RUN}-{place}",
            "status": "confirmed",
            "phone": one,
            "arrival": str(today + timedelta(days=begins)),
            "departure": str(today + timedelta(days=begins + 3)),
        }
        for place, (one, begins) in enumerate(((here, -1), (coming, 7)))
    ]
    put(mac, "bookings", stays)
    eventually(lambda: knows(vps, stays), "the cloud to know of them")
    # And nothing of which they were warned before
    in_store(vps, "DELETE FROM weather_warnings")
    # When the weather service warns of a storm
    now = int(time.time())
    warning = {
        "sender_name": f"Invented {RUN}",
        "event": "Thunderstorm warning",
        "start": now + 3600,
        "end": now + 6 * 3600,
        "description": "…",
        "tags": ["Thunderstorm"],
    }
    world.curl(f"{CONTROL}/alerts", {"alerts": [warning]})
    start(vps, "watch-weather")
    # Then who is there is told, in their language, once
    (told,) = eventually(lambda: world.got(here), "the warning")
    assert "temporal" in told["text"].lower()
    start(vps, "watch-weather")
    assert len(world.got(here)) == 1
    assert world.got(coming) == []


def test_the_desk_reports_and_nothing_is_left_open(vps: Target) -> None:
    """Every command that was issued is settled, and no run failed."""

    def settled() -> bool:
        return in_store(vps, "SELECT 'open' FROM commands WHERE state = 'offered'") == []

    eventually(settled, "every command to be settled")
    failed = vps.host.check_output(f"{CLOUD} runs --state failed --json").splitlines()
    assert [(run["job"], run["error"]) for run in map(json.loads, failed)] == []

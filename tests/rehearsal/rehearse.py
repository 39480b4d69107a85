"""``make rehearse``: hosts up, deployed to, and a guest's conversation in three languages."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import typer

from tests.rehearsal import hosts, network
from tests.rehearsal.cli import up
from tests.rehearsal.layout import CACHE, CONTROLLER_NETNS, HERE, HOSTS, PROJECT
from tests.rehearsal.shell import RehearsalError, run, step

T = TypeVar("T")

WORLD_LOG = CACHE / "world.log"
INVENTORY = PROJECT / "inventories/rehearsal"
SANDBOX = "http://spoki.example.invalid:8090"
PORTIERE = "/opt/portiere/current/venv/bin/portiere"
ENV_FILE = "/opt/portiere/etc/portiere.env"
# The first message after a deployment finds cold caches; half a minute is far more than it needs.
ANSWER_WITHIN_SECONDS = 30


@dataclass(frozen=True)
class Guest:
    """An invented guest and what they ask."""

    name: str
    phone: str
    questions: tuple[str, ...]


GUESTS = (
    Guest(
        "Giulia, in Italian",
        "+390000000001",
        ("Buongiorno! A che ora posso fare il check-in?", "E la colazione?"),
    ),
    Guest(
        "Emma, in English",
        "+390000000002",
        ("Hello, what's the wifi password please?", "Is there parking nearby?"),
    ),
    Guest(
        "Lukas, in German",
        "+390000000003",
        ("Guten Tag, wo kann ich parken?", "Bis wann muss ich auschecken?"),
    ),
)


def main() -> None:
    """Deploy, talk, and say how to look around."""
    began = time.monotonic()
    try:
        typer.secho("The hosts", bold=True)
        up()
        typer.secho("site.yml, and the world outside beside it", bold=True)
        _deploy()
        with step("both doors of the tunnel are open"):
            _eventually(_tunnel_is_up, "the edge to reach the Mac")
        for guest in GUESTS:
            _talk(guest)
    except (RehearsalError, TimeoutError) as error:
        typer.echo(f"rehearsal: {error}", err=True)
        raise SystemExit(1) from error
    typer.echo(_LOOK_AROUND.format(seconds=time.monotonic() - began))


def _deploy() -> None:
    """Both playbooks at once: they meet only at the end, when the tunnels dial the edge."""
    playbook = ["ansible-playbook", "-i", str(INVENTORY)]
    with WORLD_LOG.open("w") as log:
        world = subprocess.Popen(
            [*playbook, str(HERE / "world.yml")], cwd=PROJECT, stdout=log, stderr=log
        )
        site = subprocess.run([*playbook, "site.yml"], cwd=PROJECT, check=False)
        world_failed = world.wait()
    if world_failed:
        raise RehearsalError(f"the world outside could not be set up:\n{WORLD_LOG.read_text()}")
    if site.returncode:
        raise RehearsalError(
            "site.yml failed, see above. The hosts are up: correct it, `make rehearse` again."
        )


def _talk(guest: Guest) -> None:
    typer.secho(f"\n{guest.name}", bold=True)
    for question in guest.questions:
        asked = _sandbox("/sandbox/inbound", {"phone": guest.phone, "text": question})["uuid"]
        told, reply = _eventually(partial(_answered, asked), f"an answer to: {question}")
        _print(question, told, reply, _trace(f"reply-{asked}"))


def _answered(uuid: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The guest's message and the answer to it, once its reports are complete."""
    found = _sandbox("/sandbox/messages")["results"]
    told = next(message for message in found if message["uuid"] == uuid)
    replies = [message for message in found if message["in_reply_to"] == uuid]
    if not replies or replies[0]["status"] != "Read":
        return None
    return told, replies[0]


def _trace(key: str) -> dict[str, Any]:
    """When the Mac's own rows changed."""
    command = ["sudo", "-u", "_portiere", "env", f"PORTIERE_ENV_FILE={ENV_FILE}", PORTIERE, "trace"]
    lines = run(*hosts.enter(HOSTS["mac"]), *command).splitlines()
    return next(one for one in map(json.loads, lines) if one["idempotency_key"] == key)


def _print(
    question: str, told: dict[str, Any], reply: dict[str, Any], trace: dict[str, Any]
) -> None:
    start = told["webhook_posted_at"]
    hops = (
        ("edge → tunnel → gateway: taken in", trace["received_at"]),
        ("committed, webhook answered with 200", told["webhook_answered_at"]),
        ("queue → worker: answer written", trace["answered_at"]),
        ("claimed for sending", trace["sending_at"]),
        ("Spoki has the send call", reply["send_received_at"]),
        ("the Mac has Spoki's id", trace["sent_at"]),
    )
    typer.echo(f"  guest    {question}")
    lines = reply["text"].splitlines()
    typer.secho(f"  portiere {lines[0]}", fg=typer.colors.GREEN)
    for line in lines[1:]:
        typer.secho(f"           {line}", fg=typer.colors.GREEN)
    for name, at in hops:
        # The Mac's rows count whole milliseconds: what is below one can show as a little under 0.
        typer.echo(f"           {max(0.0, at - start):7.1f} ms  {name}")


def _tunnel_is_up() -> bool:
    return _curl("http://bot.example.invalid/health").get("status") == "ok"


def _sandbox(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    arguments = ["--json", json.dumps(body)] if body is not None else []
    return _curl(f"{SANDBOX}{path}", *arguments)


def _curl(url: str, *arguments: str) -> dict[str, Any]:
    """Ask from the controller's place in the rehearsal's network."""
    resolve = f"*:{url.split('/')[2].partition(':')[2] or '80'}:{HOSTS['world'].address}"
    command = ["curl", "--silent", "--max-time", "5", "--resolve", resolve, *arguments, url]
    answer = run(*network.inside(CONTROLLER_NETNS), *command)
    try:
        parsed: dict[str, Any] = json.loads(answer)
    except ValueError:
        return {}
    return parsed


def _eventually(ask: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + ANSWER_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            if answer := ask():
                return answer
        except RehearsalError:
            pass  # curl's own failure: nobody listens there yet
        time.sleep(0.2)
    raise TimeoutError(f"waited {ANSWER_WITHIN_SECONDS} s for {what}; look at `ctl logs mac`")


_LOOK_AROUND = """
Done in {seconds:.0f} s. The hosts are up; look around:
  tests/rehearsal/ctl status                  what is on, and what it takes
  tests/rehearsal/ctl sh mac                  a shell on the Mac (vps, world)
  tests/rehearsal/ctl sh mac launchctl list   its jobs
  tests/rehearsal/ctl sh vps docker ps        the VPS's containers
  tests/rehearsal/ctl exec curl http://203.0.113.10:8090/sandbox/messages
  tests/rehearsal/ctl power off mac           a power cut; `power on mac` ends it
  make down                                   end it all"""


if __name__ == "__main__":
    main()

"""The two machines as one cluster: who leads, is all well, what stands in their databases.

What a node sees is read from the file that it writes each second, so that looking costs nothing and
works while its container is down.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from app.ha.journal import Entry
from app.ha.view import View
from app.leading import Role
from tests.rehearsal import hosts, network
from tests.rehearsal.accounts import Outside
from tests.rehearsal.layout import CONTROLLER_NETNS, HOSTS, Host
from tests.rehearsal.shell import RehearsalError, run
from tests.rehearsal.verdict import Handed, shared_terms, terms_of

T = TypeVar("T")

# A node writes what it sees each second; older than this is of one that is off or hangs.
FRESH: Final = timedelta(seconds=5)
# A host that hangs must not hang whoever looks at it.
LOOK_SECONDS: Final = 20.0
WORLD: Final = HOSTS["world"].address
PUBLIC_NAME: Final = "bot.example.invalid"

_TERMS: Final = Path(__file__).with_name("claimed_terms.py")


@dataclass(frozen=True)
class Node:
    """One of the two: where its files lie, and how its command line is called there.

    ``data``: the database's directory as the host sees it. ``within``: the words before a command
    that runs where the program does; ``env_file``: its settings.
    """

    host: Host
    data: str
    within: tuple[str, ...]
    portiere: tuple[str, ...]
    python: str
    env_file: str = "/opt/portiere/etc/portiere.env"

    @property
    def name(self) -> str:
        """As the cluster calls it."""
        return self.host.name


MAC: Final = Node(
    host=HOSTS["mac"],
    data="/opt/portiere/data",
    within=(),
    portiere=(
        *("sudo", "-u", "_portiere", "env", "PORTIERE_ENV_FILE=/opt/portiere/etc/portiere.env"),
        "/opt/portiere/current/venv/bin/portiere",
    ),
    python="/opt/portiere/current/venv/bin/python",
)
VPS: Final = Node(
    host=HOSTS["vps"],
    data="/var/lib/docker/volumes/portiere_data/_data",
    within=("docker", "exec", "portiere-node-1"),
    portiere=("docker", "exec", "portiere-node-1", "portiere"),
    python="python3",
)
NODES: Final = (MAC, VPS)


def on(node: Node, *command: str, timeout: float = LOOK_SECONDS) -> str:
    """What a command prints that is run as root on a node's host.

    Raises:
        RehearsalError: The host is off, the command failed or took too long.
    """
    return run(*hosts.enter(node.host), *command, timeout=timeout)


def view(node: Node) -> View | None:
    """What a node sees; None while it is off, hangs or has seen nothing since it booted."""
    try:
        seen = View.model_validate_json(on(node, "cat", f"{node.data}/ha/view.json"))
    except (RehearsalError, ValueError):
        return None
    return seen if datetime.now(UTC) - seen.at < FRESH else None


def leads(node: Node) -> bool:
    """Whether a node says that it leads."""
    seen = view(node)
    return seen is not None and seen.standing.role is Role.LEADER


def amiss(leader: Node = MAC, standby: Node = VPS) -> list[str]:
    """What keeps the cluster from being well, with this leader and this standby; empty: it is."""
    first, second = view(leader), view(standby)
    missing = [
        f"{n.name}'s node is silent" for n, v in ((leader, first), (standby, second)) if not v
    ]
    if first is None or second is None:
        return missing
    facts = {
        f"{leader.name} is {first.standing.role}": first.standing.role is Role.LEADER,
        f"{standby.name} is {second.standing.role}": second.standing.role is Role.STANDBY,
        f"terms {first.standing.term} and {second.standing.term}": (
            first.standing.term == second.standing.term
        ),
        f"{leader.name} is at: {first.doing}": first.doing is None,
        f"{standby.name} is at: {second.doing}": second.doing is None,
        f"{standby.name} isn't ready": second.is_ready,
        f"{leader.name} can't reach the authority": first.authority_by is not None,
        f"{leader.name} can't reach {standby.name}": first.peer_by is not None,
        f"{standby.name} has {second.spooled} in its spool": not second.spooled,
    }
    return [what for what, is_so in facts.items() if not is_so]


def await_well(seconds: float, leader: Node = MAC, standby: Node = VPS) -> float:
    """Wait until the cluster is well; the seconds that took.

    Raises:
        RehearsalError: It isn't within ``seconds``; the text says what is amiss.
    """
    began = time.monotonic()
    while wrong := amiss(leader, standby):
        if time.monotonic() - began > seconds:
            raise RehearsalError(f"not well within {seconds:.0f} s: {'; '.join(wrong)}")
        time.sleep(1)
    return time.monotonic() - began


def until(ask: Callable[[], T | None], what: str, seconds: float) -> T:
    """The first truthy answer of ``ask``, which is asked every half second.

    Raises:
        RehearsalError: There was none within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise RehearsalError(f"not within {seconds:.0f} s: {what}; {_both()}")
        time.sleep(0.5)
    return answer


def journal(node: Node, since: float) -> list[Entry]:
    """The steps that a node has ended since a moment (seconds since the epoch), oldest first."""
    try:
        lines = on(node, "cat", f"{node.data}/ha/journal.jsonl").splitlines()
    except RehearsalError:
        return []
    # A line may be torn by a power cut.
    entries = [Entry.model_validate_json(line) for line in lines if line.endswith("}")]
    return [one for one in entries if one.at.timestamp() >= since and one.took_ms is not None]


def outside() -> Outside:
    """Where the guests talk from: the controller's network; and the webhooks' secret."""
    settings = run(*hosts.enter(HOSTS["world"]), "cat", "/etc/sandbox.env").splitlines()
    values = dict(line.split("=", 1) for line in settings if "=" in line)
    return Outside(
        sandbox=f"http://{WORLD}:8090",
        door=f"http://{WORLD}/webhooks/spoki",
        secret=values["PORTIERE_SANDBOX_WEBHOOK_SECRET"],
        host=PUBLIC_NAME,
        prefix=tuple(network.inside(CONTROLLER_NETNS)),
    )


def who_is_paused() -> list[str]:
    """The nodes at which a person, or a drill that was broken off, wants no change of leader."""
    seen = [view(node) for node in NODES]
    return [one.peer for one in seen if one and one.is_paused_there]


@contextmanager
def paused() -> Iterator[None]:
    """The lead doesn't change by itself meanwhile."""
    on(VPS, *VPS.portiere, "ha", "pause", "--reason", "a drill", "--as", "drill", timeout=60)
    try:
        yield
    finally:
        on(VPS, *VPS.portiere, "ha", "resume", timeout=60)


def claimed_terms(node: Node) -> list[dict[str, int]]:
    """In which term each message was claimed, by the node's database and by those set aside."""
    data = node.data if not node.within else "/var/lib/portiere"
    found: list[dict[str, int]] = json.loads(
        on(node, *node.within, node.python, "-c", _TERMS.read_text(), data, timeout=60)
    )
    return found


def two_senders(handed: Iterable[Handed]) -> list[str]:
    """The terms in which both machines sent, by the databases and by where the sends came from."""
    terms = terms_of(one for node in NODES for one in claimed_terms(node))
    found = shared_terms(handed, terms).items()
    return [f"in term {term} sent {' and '.join(who)}" for term, who in found]


def set_variables(node: Node, **variables: str) -> None:
    """Set settings of a node and restart its processes; an empty value takes one away.

    The file is written in its place: a container has this very file bound.
    """
    pattern = "|".join(variables)
    lines = "".join(f"{name}={value}\n" for name, value in variables.items() if value)
    script = (
        f"set -e; f={node.env_file}; kept=$(grep -vE '^({pattern})=' $f); "
        f'{{ printf "%s\\n" "$kept"; printf %s {shlex.quote(lines)}; }} >$f'
    )
    on(node, "sh", "-c", script)
    restart(node, "node", "gateway", "worker")


def restart(node: Node, *programs: str) -> None:
    """Restart processes of a node in order."""
    if node is VPS:
        on(node, "docker", "restart", *(f"portiere-{name}-1" for name in programs), timeout=120)
        return
    for name in programs:
        on(node, "launchctl", "kickstart", "-k", f"system/app.portiere.{name}", timeout=60)


def keep_evidence(directory: Path) -> None:
    """Put both nodes' views, journals and logs into a directory, for whoever reads on."""
    directory.mkdir(parents=True, exist_ok=True)
    asked = {
        "view.json": "cat {data}/ha/view.json",
        "standing.json": "cat {data}/ha/standing.json",
        "journal.jsonl": "cat {data}/ha/journal.jsonl",
        "files.txt": "find {data} -printf '%TT %s %p\\n'",
    }
    logs = {
        MAC: "tail -n 2000 /opt/portiere/log/*",
        VPS: "cd /opt/portiere/stack && docker compose logs --timestamps --tail 2000",
    }
    for node in NODES:
        for name, command in {**asked, "log.txt": logs[node]}.items():
            try:
                text = on(node, "sh", "-c", command.format(data=node.data), timeout=60)
            except RehearsalError as error:
                text = str(error)
            (directory / f"{node.name}-{name}").write_text(text)


def _both() -> str:
    told = []
    for node in NODES:
        seen = view(node)
        standing = f"{seen.standing.role} in term {seen.standing.term}" if seen else "silent"
        told.append(f"{node.name}: {standing}{f', {seen.doing}' if seen and seen.doing else ''}")
    return "; ".join(told)

"""No secret of the vault is where others can see it; where it must be, only its owner reads it."""

import pytest

from tests.rehearsal.testinfra.conftest import Target
from tests.rehearsal.testinfra.leaks import Secrets

# What each account may see of the others' processes: arguments, and environments where the
# system shows them.
PROCESSES = "sudo -u nobody ps axwwe || runuser -u nobody -- ps axwwe"

# Where what was on its way may have been left: a temporary file, a shell's or a package's log.
LEFT_BEHIND = (
    "find {places} -xdev -path '*/wireguard' -prune -o "
    "-type f -size -1024k -exec cat {{}} + || true"
)

PLACES = {
    "mac": {
        "what was left behind": LEFT_BEHIND.format(
            places="/etc/ /tmp/ /var/tmp/ /var/log/ /opt/homebrew/etc/ ~/"
        ),
        "plists": "cat /Library/LaunchDaemons/app.portiere.*.plist",
        "what launchd prints": "launchctl dumpstate 2>/dev/null || "
        "for job in /Library/LaunchDaemons/app.portiere.*.plist; do "
        "launchctl print system/$(basename $job .plist); done",
        "processes": PROCESSES,
        "logs": "cat /opt/portiere/log/*",
        "program": "find -L /opt/portiere/current/ -name '*.env' -o -name '*.yml' "
        "-o -name '*.json' -o -name '*.txt' | xargs cat",
    },
    "vps": {
        "what was left behind": LEFT_BEHIND.format(
            places="/etc/ /tmp/ /var/tmp/ /var/log/ /root/ /home/"
        ),
        "compose files": "cat /opt/portiere/stack/compose.yaml /opt/portiere/cloud/compose.yaml",
        "docker inspect, containers": "docker inspect $(docker ps --all --quiet)",
        "docker inspect, images": "docker image inspect $(docker image ls --quiet)",
        "docker history": "for image in $(docker image ls --quiet); do "
        "docker history --no-trunc $image; done",
        "builder's directory": "cat /opt/portiere/build/Dockerfile /opt/portiere/build/*.yaml "
        "/opt/portiere/build/*.txt",
        "processes": PROCESSES,
        "containers' processes": "for id in $(docker ps --quiet); do docker top $id axwwe; done",
        "containers' logs": "for project in stack cloud; do "
        "docker compose --project-directory /opt/portiere/$project logs 2>&1; done",
        "journal": "journalctl --boot --no-pager --output=cat",
    },
}

# Where files with secrets belong.
HOMES = {
    "mac": "/opt/portiere/etc /opt/portiere/link",
    "vps": "/opt/portiere/etc /etc/wireguard",
}


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, places in PLACES.items() for place in places]
)
def test_no_secret_in(targets: dict[str, Target], secrets: Secrets, name: str, place: str) -> None:
    # Only names and numbers reach the assertions: pytest prints what it compares.
    code, text = _look(targets[name], PLACES[name][place])
    leaked, length = secrets.within(text), len(text.strip())
    del text
    assert code == 0
    assert length > 0, "nothing to look at"
    assert leaked == []


def _look(target: Target, command: str) -> tuple[int, str]:
    answer = target.host.run(command)
    # Some of it is no text; what the vault holds is.
    said = answer.stdout_bytes + answer.stderr_bytes
    return answer.rc, said.decode(errors="replace")


def test_files_with_secrets_are_their_owners_alone(target: Target, secrets: Secrets) -> None:
    paths = target.host.check_output(f"find {HOMES[target.name]} -type f").splitlines()
    files = [target.host.file(path) for path in paths]
    holding = [file for file in files if secrets.within(file.content.decode(errors="replace"))]
    assert holding, "no file with a secret at all: looked in the wrong place"
    wrong = [f"{file.path} {file.mode:o}" for file in holding if file.mode != 0o600]
    assert wrong == []


def test_no_secret_elsewhere_below_the_root(target: Target, secrets: Secrets) -> None:
    """Copies left by hand or by an older release."""
    homes = HOMES[target.name].split()
    prune = " -o ".join(f"-path {home}" for home in [*homes, "*/venv", "*/data", "*.whl"])
    names = target.host.check_output(
        f"find /opt/portiere \\( {prune} \\) -prune -o -type f -size -1024k -print"
    ).splitlines()
    assert names
    found = [
        path
        for path in names
        if secrets.within(target.host.file(path).content.decode(errors="replace"))
    ]
    assert found == []

"""What runs is good, and what is kept to go back to is its owners' alone.

Releases that come and go: tests/rehearsal/scenarios/test_releases.py.
"""

from tests.rehearsal.testinfra.conftest import Target

CURRENT = {
    "mac": "basename $(readlink /opt/portiere/current)",
    "vps": "docker inspect --format='{{.Config.Image}}' portiere-gateway-1 | sed 's/.*://'",
}


def test_what_runs_was_not_marked_as_bad(target: Target) -> None:
    found = target.host.run("ls /opt/portiere/releases").stdout.split()
    marked = [name.removesuffix(".bad") for name in found if name.endswith(".bad")]
    current = target.host.check_output(CURRENT[target.name])
    assert current
    # A tag may not hold a +.
    assert current.replace("+", "-") not in [name.replace("+", "-") for name in marked]


def test_settings_of_other_releases_are_seen_by_nobody_else(target: Target) -> None:
    places = "/opt/portiere/etc/kept /opt/portiere/etc/candidate"
    found = target.host.run(f"find {places} -type d").stdout.split()
    assert [path for path in found if target.host.file(path).mode & 0o007] == []


def test_a_release_says_what_it_could_work_with(mac: Target) -> None:
    """As the roles ask it, by the account that the program runs as."""
    as_program = (
        "sudo -u _portiere env PORTIERE_ENV_FILE=/opt/portiere/etc/portiere.env {} "
        "/opt/portiere/current/venv/bin/portiere {}"
    )
    made = mac.host.check_output(as_program.format("", "release schema"))
    said = mac.host.check_output(as_program.format(f"PORTIERE_DATABASE={made}", "check"))
    assert "good" in said

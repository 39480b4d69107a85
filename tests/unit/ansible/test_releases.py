"""Which releases and images go, stay and are gone back to; what a tag of the playbook reaches."""

from typing import Any

from .conftest import PROJECT
from .inventory import rendered
from .test_roles import all_tasks, plays, read

RELEASES = "/opt/portiere/releases"
NAMES = [f"0.{number}.0+0000000{number}" for number in range(1, 7)]


def files(place: str, *names: str, bad: tuple[str, ...] = ()) -> dict[str, Any]:
    """What `find` says of directories, the first the oldest, and of marks beside them."""
    found = [{"path": f"{place}/{n}", "isdir": True, "mtime": i} for i, n in enumerate(names)]
    found += [{"path": f"{place}/{n}.bad", "isdir": False, "mtime": 99} for n in bad]
    return {"files": found}


def pruned(*bad: str, before: str, current: str = NAMES[5]) -> list[str]:
    """The releases that go."""
    kept = files("/opt/portiere/etc/kept", *NAMES)
    gone: list[str] = rendered(
        "mac",
        "release",
        expression="release_old",
        release_id=current,
        release_before=before,
        release_all={"results": [files(RELEASES, *NAMES, bad=bad), kept]},
    )
    return [path.removeprefix(f"{RELEASES}/") for path in gone]


def test_the_oldest_go_and_the_one_before_stays_whatever_its_age() -> None:
    assert pruned(before=NAMES[4]) == [NAMES[1], NAMES[0]]
    assert pruned(before=NAMES[0]) == [NAMES[2], NAMES[1]]


def test_those_that_were_bad_go_first() -> None:
    """Else some bad builds in a row would leave nothing to go back to."""
    assert pruned(NAMES[3], NAMES[2], before=NAMES[4]) == [NAMES[3], NAMES[2]]


def test_what_was_kept_of_a_release_goes_with_it() -> None:
    gone = rendered(
        "mac",
        "release",
        expression="release_kept_of_none",
        release_id=NAMES[5],
        release_before=NAMES[4],
        release_all={"results": [files(RELEASES, *NAMES), files("/opt/portiere/etc/kept", *NAMES)]},
    )
    assert sorted(gone) == [f"/opt/portiere/etc/kept/{name}" for name in NAMES[:2]]


def test_an_image_is_gone_back_to_if_nobody_marked_it() -> None:
    tags = [f"portiere:{name.replace('+', '-')}" for name in reversed(NAMES)]
    given = {
        "image_all": {"stdout_lines": tags},
        "image_in_use": {"stdout_lines": [tags[0], "redis:8.0-trixie"]},
        "image_marks": files(RELEASES, bad=(NAMES[4],)),
        "image_release_id": NAMES[5],
    }
    assert rendered("vps", "image", expression="image_good", **given) == tags[2:]
    assert rendered("vps", "image", expression="image_by_worth", **given)[-1] == tags[1]


def test_an_image_s_release_is_called_as_on_the_mac() -> None:
    given = {"compose_image": "portiere:0.1.0-0abcdef1"}
    assert rendered("vps", "compose", expression="compose_release", **given) == "0.1.0+0abcdef1"


def test_who_leads_is_taken_back_last() -> None:
    found = plays("ansible/playbooks/rollback.yml")
    assert all(play["tags"] == ["never", "rollback"] for play in found)
    hosts = [play["hosts"] for play in found]
    assert hosts == ["vps_hosts", "mac_hosts", "vps_hosts", "mac_hosts", "vps_hosts", "workers"]
    turns = [play["vars"]["rollback_turn"] for play in found if "vars" in play]
    assert turns == [False, True]
    # One that fails must not be followed by the other host.
    assert all(play.get("any_errors_fatal") for play in found[:-1])


def test_a_bad_release_on_the_standby_does_not_get_to_the_mac() -> None:
    by_name = {play["name"]: play for play in read(PROJECT / "site.yml")}
    assert by_name["Let the VPS stand by"]["any_errors_fatal"] is True


def test_what_a_release_failed_at_is_never_passed_over() -> None:
    for name in ("release", "desk", "compose", "image"):
        for path, task in all_tasks(PROJECT / "roles" / name):
            assert "ignore_errors" not in task, path
    for file in ("desk/tasks/main.yml", "desk/tasks/rollback.yml", "compose/tasks/main.yml"):
        blocks = [task for task in read(PROJECT / "roles" / file) if "rescue" in task]
        assert len(blocks) == 1, file
        last = blocks[0]["rescue"][-1]
        assert last["ansible.builtin.include_tasks"] == "back.yml"
    for role in ("desk", "compose"):
        assert "ansible.builtin.fail" in read(PROJECT / f"roles/{role}/tasks/back.yml")[-1]

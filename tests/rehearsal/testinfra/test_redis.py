"""Redis on the Mac and its replica on the VPS."""

import uuid

import pytest

from tests.rehearsal.testinfra.conftest import Target


def test_without_password(target: Target) -> None:
    answer = target.host.run(f"{target.expected.redis_cli} ping")
    assert "NOAUTH" in answer.stdout + answer.stderr


def test_with_a_wrong_password(target: Target) -> None:
    assert "WRONGPASS" in target.redis("ping", auth="echo not-the-password")


def test_default_user_is_off(target: Target) -> None:
    """The right password without a name must not help."""
    script = f"REDISCLI_AUTH=$({target.expected.redis_secret}) {target.expected.redis_cli} ping"
    answer = target.host.run(script)
    assert "WRONGPASS" in answer.stdout + answer.stderr


@pytest.mark.parametrize("command", ["config get requirepass", "acl list", "client list", "save"])
def test_program_may_not(target: Target, command: str) -> None:
    """Each of these would do no harm if it were allowed."""
    assert "NOPERM" in target.redis(command)


def test_never_evicts(target: Target) -> None:
    assert "maxmemory_policy:noeviction" in target.redis("info memory").split()


def test_every_second_to_disk(mac: Target) -> None:
    assert "aof_enabled:1" in mac.redis("info persistence").split()


def test_replica_follows(vps: Target) -> None:
    state = vps.redis("info replication").split()
    assert "role:slave" in state
    assert "master_link_status:up" in state


def test_replica_refuses_writes(vps: Target) -> None:
    assert "READONLY" in vps.redis(f"set portiere:test:{uuid.uuid4()} x ex 60")


@pytest.mark.mutating
def test_what_the_mac_writes_the_vps_reads(mac: Target, vps: Target) -> None:
    key, value = f"portiere:test:{uuid.uuid4()}", uuid.uuid4().hex
    # One connection: WAIT answers for the writes of its own.
    script = f"printf 'set {key} {value} ex 60\\nwait 1 5000\\n' |"
    cli = f"{mac.expected.redis_cli} --user portiere"
    written = mac.host.run(f"export REDISCLI_AUTH=$({mac.expected.redis_secret}); {script} {cli}")
    assert written.stdout.split() == ["OK", "1"], written.stdout + written.stderr
    assert vps.redis(f"get {key}") == value

"""Two machines: one leads, one stands by; the lead changes by accident, by wish, and back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.work.programs import Program
from tests.support.both_machines import BothMachines, Host, both_machines
from tests.support.processes import Process, eventually


def answered(pair: BothMachines, *keys: str) -> bool:
    """Whether each of the messages has its reply."""
    sent = pair.replies()
    return all(sent[key] for key in keys)


def wants_lead(host: Host) -> bool:
    """Whether the other wants the lead, by what this machine heard."""
    seen = host.view()
    assert seen is not None
    assert seen.peer_report is not None
    return seen.peer_report.wants_lead


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BothMachines]:
    with both_machines(tmp_path) as found:
        found.start()
        yield found


def test_either_door_is_answered_and_a_lost_leader_is_followed_by_the_other(
    pair: BothMachines,
) -> None:
    keys = [pair.mac.post("A che ora è la colazione?"), pair.vps.post("Is there a car park?")]
    eventually(lambda: all(pair.replies()[key] == 1 for key in keys), "both are answered")

    pair.mac.power_off()
    keys.append(pair.vps.post("Wo kann ich parken?", phone="+390000000002"))
    eventually(pair.vps.leads, "the VPS leads")
    eventually(lambda: pair.replies()[keys[-1]] == 1, "it answers what it had accepted")
    assert [pair.replies()[key] for key in keys] == [1, 1, 1]

    pair.mac.start()
    eventually(pair.mac.leads, "the Mac leads again, by itself")
    keys.append(pair.mac.post("Merci !", phone="+390000000003"))
    eventually(lambda: pair.replies()[keys[-1]] == 1, "it answers")
    eventually(pair.vps.is_ready, "the VPS stands by again")
    assert [pair.replies()[key] for key in keys] == [1, 1, 1, 1]


def test_by_wish_there_and_back_while_guests_talk(pair: BothMachines) -> None:
    keys: list[str] = []
    stopping = threading.Event()

    def talk() -> None:
        while not stopping.wait(0.2):
            for door in (pair.mac, pair.vps):
                keys.append(door.post("Grazie!", phone=f"+39000000{len(keys):04}"))

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        assert pair.mac.ha("switchover") == 0
        eventually(pair.vps.leads, "the VPS leads")
        assert pair.vps.ha("switchover", "--to", "vps") == 3
        eventually(pair.mac.leads, "the preferred one leads again")
    finally:
        stopping.set()
        talking.join()
    eventually(lambda: answered(pair, *keys), "all are answered")
    sent = pair.replies()
    assert {sent[key] for key in keys} == {1}

    eventually(pair.mac.has_a_standby, "the VPS is ready, by what the Mac heard")
    assert pair.mac.ha("switchover", "--for", "10") == 0
    eventually(pair.vps.has_a_standby, "the Mac is ready, by what the VPS heard")
    assert not wants_lead(pair.vps)


@pytest.mark.parametrize("mode", ["stay", "step_down"])
def test_without_the_authority_a_leader_stays_or_holds(tmp_path: Path, mode: str) -> None:
    with both_machines(tmp_path, PORTIERE_HA_WHEN_AUTHORITY_UNREACHABLE=mode) as pair:
        pair.start()
        pair.cloud.kill()
        if mode == "stay":
            eventually(pair.mac.is_alone, "the lease is over, and it leads on")
            key = pair.mac.post("A che ora è la colazione?")
            eventually(lambda: answered(pair, key), "it answers")
            pair.start_cloud()
        else:
            eventually(pair.mac.holds, "the lease is over, and it holds")
            key = pair.mac.post("A che ora è la colazione?")
            assert not answered(pair, key)
            pair.start_cloud()
            eventually(lambda: answered(pair, key), "it answers once it may")
        eventually(pair.mac.leads, "the Mac leads")
        assert pair.replies()[key] == 1


def test_who_boots_alone_waits_for_a_person(pair: BothMachines) -> None:
    before = pair.mac.view()
    pair.vps.power_off()
    pair.mac.power_off()
    pair.cloud.kill()
    pair.mac.boot_anew()
    pair.mac.start()
    eventually(pair.mac.reaches_nobody, "its node looks for the authority in vain")
    key = pair.mac.post("Wo kann ich parken?")
    assert pair.mac.ha("failover") == 1
    assert not answered(pair, key)

    assert pair.mac.ha("failover", "--force", "--yes") == 0
    eventually(lambda: answered(pair, key), "it answers")
    after = pair.mac.view()
    assert before is not None
    assert after is not None
    assert after.standing.term > before.standing.term

    pair.start_cloud()
    pair.vps.start()
    eventually(pair.vps.is_ready, "the VPS stands by")
    assert pair.mac.leads()
    assert pair.replies()[key] == 1


def test_a_leader_whose_redis_is_gone_for_good_gives_the_lead_away(tmp_path: Path) -> None:
    with both_machines(tmp_path, PORTIERE_HA_REDIS_PATIENCE="2") as pair:
        pair.start()
        pair.mac.redis.kill()
        key = pair.mac.post("A che ora è la colazione?")
        eventually(pair.vps.leads, "the VPS leads")
        eventually(lambda: answered(pair, key), "it answers")
        assert not pair.mac.leads()

        pair.mac.redis.start()
        eventually(pair.mac.leads, "the Mac leads again, by itself")
        key = pair.mac.post("Merci !", phone="+390000000003")
        eventually(lambda: answered(pair, key), "it answers")
        assert set(pair.replies().values()) == {1}


@pytest.mark.parametrize("program", list(Program))
def test_a_leader_without_its_gateway_or_worker_gives_the_lead_away(
    tmp_path: Path, program: Program
) -> None:
    """And doesn't want it back by itself: what fails only while it leads looks well afterwards."""
    with both_machines(tmp_path, PORTIERE_HA_PROGRAMS_PATIENCE="2") as pair:
        pair.start()
        lost: Process = getattr(pair.mac, program)
        lost.kill()
        key = pair.vps.post("A che ora è la colazione?")
        eventually(pair.vps.leads, "the VPS leads")
        eventually(lambda: answered(pair, key), "it answers")
        assert not pair.mac.is_ready()

        lost.start()
        eventually(pair.vps.has_a_standby, "the Mac is ready again, by what the VPS heard")
        assert not wants_lead(pair.vps)
        assert pair.mac.ha("switchover", "--to", "mac") == 0
        eventually(pair.mac.leads, "the Mac leads, as it was asked to")
        assert set(pair.replies().values()) == {1}

"""Two whole machines, and the leader's database is damaged: a guest notices nothing but a wait."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.ha import replacing
from app.ha.asides import DAMAGED
from app.ha.replacing import Phase
from app.store import damage
from app.store.database import open_copy, open_database
from tests.support.both_machines import BothMachines, Host, both_machines
from tests.support.flips import flip_text
from tests.support.processes import eventually

RIGHT, WRONG = "2026-12-24", "2026-12-25"
BOOKINGS = 20
# More than the 1000 pages of 4 KiB after which Litestream empties the log; else, each minute.
LONG = 5_000_000
MENDED_SECONDS = 60


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BothMachines]:
    with both_machines(tmp_path) as found:
        found.start()
        yield found


def book(host: Host) -> None:
    """Bookings, in the file itself by now: the last fills the log, and Litestream empties it."""
    database = open_database(host.database)
    with database.transaction() as connection:
        for number in range(1, BOOKINGS + 1):
            connection.execute(
                "INSERT INTO bookings (channel, code, arrival, status, created_at, updated_at) "
                "VALUES ('direct', ?, ?, 'confirmed', 0, 0)",
                (f"B-{number}{'0' * LONG if number == BOOKINGS else ''}", RIGHT),
            )
    eventually(
        lambda: flip_text(host.database, RIGHT, RIGHT) >= BOOKINGS, "they are in the file", 90
    )
    database.close_all()


def arrivals(host: Host) -> list[str]:
    """What readers are served."""
    with closing(open_copy(host.database)) as connection:
        return [row["arrival"] for row in connection.execute("SELECT arrival FROM bookings")]


def is_mended(host: Host) -> bool:
    """Whether it leads with another database than the damaged one, which is kept for ever."""
    now = replacing.read(host.directory / "data/ha")
    if now is None or now.phase is not Phase.DONE:
        return False
    return host.leads() and (now.aside / DAMAGED).exists()


def test_a_guest_is_answered_and_every_booking_is_there(pair: BothMachines) -> None:
    mac = pair.mac
    keys = [mac.post("A che ora è la colazione?")]
    eventually(lambda: pair.replies()[keys[0]] == 1, "it is answered")
    book(mac)
    assert flip_text(mac.database, RIGHT, WRONG)

    damage.note(mac.database, "a process met it")
    keys.append(mac.post("Wo kann ich parken?", phone="+390000000002"))
    eventually(lambda: is_mended(mac), "it is mended", MENDED_SECONDS)
    keys.append(pair.vps.post("Is there a car park?", phone="+390000000003"))
    assert arrivals(mac) == [RIGHT] * BOOKINGS
    eventually(lambda: all(pair.replies()[key] == 1 for key in keys), "all are answered")
    eventually(pair.vps.is_ready, "the VPS stands by again")
    assert [pair.replies()[key] for key in keys] == [1, 1, 1]


def test_both_off_and_the_leaders_file_is_damaged_meanwhile(pair: BothMachines) -> None:
    mac = pair.mac
    key = mac.post("A che ora è la colazione?")
    eventually(lambda: pair.replies()[key] == 1, "it is answered")
    book(mac)
    pair.vps.power_off()
    mac.power_off()
    assert flip_text(mac.database, RIGHT, WRONG)
    # Started first: the VPS would lead with its copy, which is right.
    mac.start()
    eventually(lambda: is_mended(mac), "it is mended", MENDED_SECONDS)
    pair.vps.start()
    assert arrivals(mac) == [RIGHT] * BOOKINGS
    key = pair.vps.post("Is there a car park?", phone="+390000000003")
    eventually(lambda: pair.replies()[key] == 1, "it is answered")

"""What is wrong with the backups of one machine is known to the other."""

from pathlib import Path

import pytest

from tests.support.both_machines import both_machines
from tests.support.processes import eventually

pytestmark = pytest.mark.thorough


def test_the_leader_hears_of_the_disk_of_the_standby(tmp_path: Path) -> None:
    with both_machines(tmp_path, PORTIERE_BACKUP_LEAST_FREE=str(10**18)) as pair:
        pair.start()

        def heard() -> bool:
            view = pair.mac.view()
            told = view.peer_report if view else None
            return told is not None and told.backup_faults == ("disk_low",)

        eventually(heard, "the Mac hears of the VPS's disk")
        assert pair.mac.ha("status") == 1
        # It leads all the same.
        assert pair.mac.leads()

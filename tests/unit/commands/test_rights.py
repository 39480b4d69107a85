"""What a guest is given of the commands about them, and what is left once they are erased."""

import json

import pytest

from app.messages import rights
from app.messages.rights import StillToSendError
from app.work.desk import Desk
from tests.unit.commands.conftest import Cloud
from tests.unit.work.conftest import GUEST, OTHER

BATCH = [{"phone": GUEST, "text": "for one"}, {"phone": OTHER, "text": "for the other"}]


def test_a_guest_is_given_their_own_part_only(cloud: Cloud, desk: Desk) -> None:
    cloud.take("SEND_BATCH_MESSAGES", messages=BATCH)
    found = rights.export(desk.database, desk.seal, GUEST)
    assert found is not None
    (command,) = found["commands"]
    assert [one["text"] for one in command["payload"]["messages"]] == ["for one"]
    assert "for the other" not in json.dumps(found)


def test_an_open_command_holds_up_an_erasure_unless_it_is_forced(cloud: Cloud, desk: Desk) -> None:
    mine = cloud.take("SEND_MESSAGE", phone=GUEST, text="for one")
    both = cloud.take("SEND_BATCH_MESSAGES", messages=BATCH)
    with pytest.raises(StillToSendError, match="2 commands"):
        rights.erase(desk.database, desk.seal, GUEST)
    assert rights.erase(desk.database, desk.seal, GUEST, force=True)["commands"] == 2
    assert rights.export(desk.database, desk.seal, GUEST) is None
    assert cloud.state(mine).state == "discarded"
    # The other guest's part is carried out.
    cloud.run(both.row_id)
    assert cloud.state(both).state == "done"
    found = rights.export(desk.database, desk.seal, OTHER)
    assert found is not None
    assert len(found["outbox"]) == 1

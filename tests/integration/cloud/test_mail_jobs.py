"""Mails and what they tell of, killed at each point, damaged at random."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings

from cloud_jobs.jobs.read_mail import read_mail
from cloud_jobs.jobs.tell_desk import tell_desk
from cloud_jobs.known.reservation import Change, ReservationTold
from cloud_jobs.store.runs import State
from tests.support import reservation_mails as mails
from tests.support.bookings_told import LATER, story, tell, whole
from tests.support.cloud_layer import Layer, NewUrl, kill_everywhere
from tests.support.damaged_mails import damaged
from tests.support.kept_mails import arrive, keep, kept

MakeLayer = Callable[..., Layer]


@pytest.mark.parametrize("name", ["scidoo_it_new", "booking_de_guest_message", "spoof_unsigned"])
def test_killed_at_any_point_a_mail_is_read_and_told_of_once(name: str, layer: MakeLayer) -> None:
    raw = mails.raw(name)
    if name == "scidoo_it_new":
        raw = mails.with_a_phone(datetime.now(UTC).date() + timedelta(days=9))
    cloud = layer(read_mail, tell_desk, mail_authserv_id=mails.AUTHSERV_ID)
    digest = sha256(raw).hexdigest()

    def prepare(mortal: Layer) -> None:
        keep(mortal, raw)

    points = kill_everywhere(cloud, read_mail, {"digest": digest}, prepare=prepare)
    # A run is claimed and settled; besides a mail has its step and its log, and what it tells one
    # more; the desk is told by two steps and three commands.
    assert points == 3 * (4 if name != "scidoo_it_new" else 5 + 2 + 5)


def test_damaged_mails_never_fail_a_run(new_url: NewUrl) -> None:
    cloud = Layer.make(new_url, [read_mail, tell_desk], mail_authserv_id=mails.AUTHSERV_ID)
    seen: set[bytes] = set()

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged())
    def never_fails(raw: bytes) -> None:
        if raw in seen:
            return
        seen.add(raw)
        digest = arrive(cloud, raw)
        cloud.run_all()
        assert kept(cloud, digest).verdict in {"reservation", "nothing", "person"}

    never_fails()
    assert {run.state for run in cloud.runs()} == {State.SUCCEEDED}
    assert cloud.events("reservation.told")
    cloud.close()


@pytest.mark.parametrize(
    "then",
    [
        whole(5, party=3, phone="+390000000002"),
        story(5, Change.CANCELLED),
        story(5, Change.CHANGED, arrival=LATER + timedelta(days=3)),
    ],
    ids=["changed", "cancelled", "moved"],
)
def test_killed_at_any_point_the_desk_is_told_once(then: ReservationTold, layer: MakeLayer) -> None:
    def prepare(mortal: Layer) -> None:
        tell(mortal, whole())

    payload = then.model_dump(mode="json", exclude_none=True)
    points = kill_everywhere(layer(tell_desk), tell_desk, payload, prepare=prepare)
    # It is claimed and settled, merged and remembered; and asks for one thing at least.
    assert points >= 3 * 5

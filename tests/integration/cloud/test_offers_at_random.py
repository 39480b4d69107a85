"""A season of offers at random: what a guest is asked must be right by all that is known then."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import time_machine
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import update

from cloud_jobs.agents.analytics import Period
from cloud_jobs.agents.offers import offers_made
from cloud_jobs.agents.upsell import settle
from cloud_jobs.agents.wanting import Kind
from cloud_jobs.jobs.upsell_round import first_offer, upsell_offer, upsell_round
from cloud_jobs.store.known import KnownGuest, KnownRequest
from tests.support import known_rows as rows
from tests.support.cloud_layer import Layer, NewUrl
from tests.support.offering_desk import OfferingDesk, consent_of, has_open_offer, keep, requests_of

MORNING: Final = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
SOON: Final = MORNING.date() + timedelta(days=9)
DAY: Final = timedelta(days=1)


class Season(RuleBasedStateMachine):
    """Three stays, two of them of one guest; rounds, changes, answers, a desk that is away."""

    new_url: NewUrl

    def __init__(self) -> None:
        super().__init__()
        self.now = MORNING
        self.layer = Layer.make(self.new_url, (upsell_round, first_offer, upsell_offer))
        self.desk = OfferingDesk(self.layer)
        keep(self.layer, rows.guest(1), rows.guest(2))
        for number, guest in ((1, 1), (2, 1), (3, 2)):
            flight = "AZ1572" if number == 1 else None
            stay = rows.stay(number, SOON, SOON + 4 * DAY, flight_number=flight)
            stay.guest = rows.index(guest)
            keep(self.layer, stay)

    def teardown(self) -> None:
        """No offer was made twice, and the figures are of those that were made."""
        assert self.desk.made == list(dict.fromkeys(self.desk.made))
        self.desk.work(self.now)
        zone = self.layer.settings.zone
        period = Period(MORNING.date(), self.now.date(), zone)
        with self.layer.store.writing() as session:
            settle(session, self.layer.seal, self.now)
            assert offers_made(session, period.holds, by_agent=True).made == len(self.desk.made)
            assert offers_made(session, period.holds, by_agent=False).made == 0
        self.layer.close()

    @rule(days=st.integers(1, 3))
    def round(self, days: int) -> None:
        self.now += days * DAY
        self._watched(lambda: self.layer.begin(upsell_round, {}))

    @rule(booking=st.integers(1, 3))
    def booking_changes(self, booking: int) -> None:
        payload = {"booking_id": booking, "status": "confirmed"}
        self._watched(lambda: self.layer.tell("booking.changed", payload))

    @rule()
    def desk_works(self) -> None:
        self.desk.work(self.now)

    @rule(state=st.sampled_from(["accepted", "declined", "declined", "expired"]))
    def guests_answer(self, state: str) -> None:
        with self.layer.store.writing() as session:
            session.execute(
                update(KnownRequest).where(KnownRequest.state == "offered").values(state=state)
            )

    @rule()
    def all_decline_what_the_next_round_offers(self) -> None:
        self.round(1)
        self.desk_works()
        self.guests_answer("declined")

    @rule(booking=st.integers(1, 3), kind=st.sampled_from(Kind))
    def guest_asks(self, booking: int, kind: Kind) -> None:
        number = booking * 10 + list(Kind).index(kind)
        with self.layer.store.writing() as session:
            session.merge(rows.request(number, kind, "made", booking_id=booking, was_offered=False))

    @rule(guest=st.integers(1, 2), consent=st.sampled_from(["given", "withdrawn"]))
    def consent_changes(self, guest: int, consent: str) -> None:
        with self.layer.store.writing() as session:
            session.execute(
                update(KnownGuest)
                .where(KnownGuest.guest == rows.index(guest))
                .values(consent=consent)
            )

    def _watched(self, begin: Callable[[], Any]) -> None:
        """Work on runs; what is new on the desk's list must be right by the tables as they are."""
        before = Counter(self.desk.offered())
        with time_machine.travel(self.now, tick=False):
            begin()
            self.layer.run_all()
        after = self.desk.offered()
        with self.layer.store.reading() as session:
            for guest, booking, kind in Counter(after) - before:
                had = requests_of(session, booking)
                assert consent_of(session, guest) == "given"
                assert not has_open_offer(session, guest)
                assert kind not in {one.kind for one in had}
                assert [one.state for one in had].count("declined") < 2
                assert (guest, booking, kind) not in self.desk.made
        # Of a guest the desk is never asked for two.
        assert all(number == 1 for number in Counter(guest for guest, *_ in after).values())
        assert {run.state for run in self.layer.runs()} <= {"succeeded"}


def test_nobody_is_offered_a_thing_twice_nor_two_at_once_nor_after_two_declines(
    new_url: NewUrl,
) -> None:
    Season.new_url = staticmethod(new_url)
    run_state_machine_as_test(
        Season,
        settings=settings(
            max_examples=30,
            stateful_step_count=16,
            deadline=None,
            # Each try is some seconds of runs: to look for a shorter one would take minutes.
            phases=(Phase.reuse, Phase.generate),
        ),
    )

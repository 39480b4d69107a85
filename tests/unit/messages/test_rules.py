"""Every rule of sending, both ways, at its edge."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guests.guest import Consent
from app.messages.outgoing import Kind
from app.messages.rules import (
    AWAKE,
    WINDOW,
    Proposal,
    QuietHours,
    Refuse,
    Rule,
    RuleBook,
    Send,
    SentAs,
    Standing,
    Wait,
    can_send,
)

ROME = ZoneInfo("Europe/Rome")
NEW_YORK = ZoneInfo("America/New_York")
BOOK = RuleBook(QuietHours(time(22), time(8)), daily_cap=4)
# A Tuesday in winter, at noon in Rome.
NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TALKING = Standing(now=NOON, zone=ROME, wrote_at=NOON - SECOND)
LONG_SILENT = replace(TALKING, wrote_at=NOON - timedelta(days=3))
ALL = frozenset({"it", "en", "de", "fr", "es"})


def proposal(kind: Kind = Kind.REPLY, **changes: object) -> Proposal:
    plain = Proposal(kind=kind, created_at=NOON, language="it", fallback_approved=ALL)
    return replace(plain, **changes)  # type: ignore[arg-type]  # named as the fields are


def notice(**changes: object) -> Proposal:
    return proposal(Kind.NOTICE, template=True, approved=ALL, **changes)


TEXT = Send(SentAs.TEXT, "it")
TEMPLATE = Send(SentAs.TEMPLATE, "it")


def rule_of(verdict: object) -> Rule | None:
    return verdict.rule if isinstance(verdict, Wait | Refuse) else None


def decide(proposed: Proposal, standing: Standing) -> object:
    return can_send(proposed, standing, BOOK)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_guest_who_just_wrote_gets_every_kind_of_message(kind: Kind) -> None:
    assert decide(proposal(kind), TALKING) == TEXT


def test_the_same_message_is_not_sent_twice() -> None:
    assert rule_of(decide(proposal(), replace(TALKING, duplicate=True))) is Rule.DUPLICATE


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (Kind.REPLY, Rule.OPTED_OUT),
        (Kind.NOTICE, Rule.OPTED_OUT),
        (Kind.CONFIRMATION, None),
        (Kind.EMERGENCY, None),
        (Kind.PERSON, None),
        (Kind.DESK, None),
    ],
)
def test_who_wants_no_messages_gets_none_but_these(kind: Kind, rule: Rule | None) -> None:
    opted_out = replace(TALKING, consent=Consent.WITHDRAWN)
    assert rule_of(decide(proposal(kind), opted_out)) is rule


@pytest.mark.parametrize(
    ("consent", "marketing", "rule"),
    [
        (Consent.GIVEN, True, None),
        (Consent.UNKNOWN, True, Rule.CONSENT),
        (Consent.UNKNOWN, False, None),
        (Consent.GIVEN, False, None),
    ],
)
def test_an_offer_needs_consent_and_what_the_stay_needs_does_not(
    consent: Consent, marketing: bool, rule: Rule | None
) -> None:
    verdict = decide(notice(marketing=marketing), replace(TALKING, consent=consent))
    assert rule_of(verdict) is rule


@pytest.mark.parametrize(
    ("silent_for", "verdict"),
    [
        (timedelta(0), TEXT),
        (WINDOW - SECOND, TEXT),
        (WINDOW - timedelta(milliseconds=1), TEXT),
        (WINDOW, TEMPLATE),
        (WINDOW + SECOND, TEMPLATE),
    ],
)
def test_the_window_closes_after_24_hours(silent_for: timedelta, verdict: Send) -> None:
    assert decide(notice(), replace(TALKING, wrote_at=NOON - silent_for)) == verdict


def test_the_window_of_a_guest_who_never_wrote_is_closed() -> None:
    assert decide(notice(), replace(TALKING, wrote_at=None)) == TEMPLATE


def test_the_provider_knows_better_whether_the_window_is_open() -> None:
    assert decide(notice(window_closed=True), TALKING) == TEMPLATE


@pytest.mark.parametrize("kind", [Kind.REPLY, Kind.CONFIRMATION, Kind.EMERGENCY])
def test_an_answer_that_comes_too_late_says_that_a_person_will_answer(kind: Kind) -> None:
    standing = LONG_SILENT if kind is Kind.EMERGENCY else replace(LONG_SILENT, now=NOON)
    assert decide(proposal(kind), standing) == Send(SentAs.TEMPLATE, "it", fallback=True)


def test_a_person_is_told_that_the_window_is_closed() -> None:
    assert rule_of(decide(proposal(Kind.PERSON), LONG_SILENT)) is Rule.WINDOW


@pytest.mark.parametrize(
    ("approved", "language"),
    [
        ({"it", "en"}, "it"),
        ({"en", "de"}, "en"),
        ({"de", "fr"}, "de"),
        ({"fr"}, "fr"),
    ],
)
def test_a_template_falls_back_to_a_language_in_which_it_is_approved(
    approved: set[str], language: str
) -> None:
    proposed = replace(notice(), approved=frozenset(approved))
    assert decide(proposed, LONG_SILENT) == Send(SentAs.TEMPLATE, language)


def test_a_template_that_is_not_approved_is_refused_outside_the_window() -> None:
    proposed = replace(notice(), approved=frozenset())
    assert rule_of(decide(proposed, LONG_SILENT)) is Rule.TEMPLATE
    assert decide(proposed, TALKING) == TEXT


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (Kind.REPLY, Rule.TAKEN_OVER),
        (Kind.NOTICE, Rule.TAKEN_OVER),
        (Kind.CONFIRMATION, None),
        (Kind.EMERGENCY, None),
        (Kind.PERSON, None),
        (Kind.DESK, None),
    ],
)
def test_the_bot_is_silent_while_a_person_speaks(kind: Kind, rule: Rule | None) -> None:
    taken = replace(TALKING, held_since=NOON - SECOND, taken=True)
    assert rule_of(decide(proposal(kind), taken)) is rule


@pytest.mark.parametrize(
    ("age", "rule"), [(SECOND, None), (timedelta(0), None), (-SECOND, Rule.TAKEN_OVER)]
)
def test_what_the_bot_had_said_before_it_called_a_person_still_goes(
    age: timedelta, rule: Rule | None
) -> None:
    waiting = replace(TALKING, held_since=NOON, taken=False)
    assert rule_of(decide(proposal(created_at=NOON - age), waiting)) is rule


def rome(month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    local = datetime(2026, month, day, hour, minute, second, tzinfo=ROME)
    return local.astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (rome(11, 24, 21, 59, 59), None),
        (rome(11, 24, 22), rome(11, 25, 8)),
        (rome(11, 24, 23, 59, 59), rome(11, 25, 8)),
        (rome(11, 25, 0), rome(11, 25, 8)),
        (rome(11, 25, 7, 59, 59), rome(11, 25, 8)),
        (rome(11, 25, 8), None),
        # Summer time begins on 29 March at 2:00 and ends on 25 October at 3:00: the night is
        # an hour shorter, then an hour longer, and ends at eight by the guest's clock both times.
        (rome(3, 28, 22), datetime(2026, 3, 29, 6, 0, tzinfo=UTC)),
        (rome(3, 29, 7, 59, 59), datetime(2026, 3, 29, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 29, 6, 0, tzinfo=UTC), None),
        (rome(10, 24, 22), datetime(2026, 10, 25, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 6, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 7, 0, tzinfo=UTC), None),
    ],
)
def test_quiet_hours_are_those_of_the_guests_clock(now: datetime, until: datetime | None) -> None:
    verdict = decide(notice(created_at=now), Standing(now=now, zone=ROME, wrote_at=now))
    assert verdict == (TEXT if until is None else Wait(until, Rule.QUIET_HOURS, _why(verdict)))


def _why(verdict: object) -> str:
    return verdict.why if isinstance(verdict, Wait) else ""


@pytest.mark.parametrize("day", [(3, 28), (10, 24)], ids=["into summer time", "out of it"])
@pytest.mark.parametrize("end", [time(2), time(2, 30), time(2, 59, 59), time(3), time(3, 30)])
def test_a_quiet_that_ends_as_the_clock_changes_ends_once_and_later(
    day: tuple[int, int], end: time
) -> None:
    quiet = QuietHours(time(22), end)
    evening = rome(*day, 21)
    for minutes in range(9 * 60):
        now = evening + timedelta(minutes=minutes)
        if (until := quiet.end_if_quiet(now, ROME)) is not None:
            assert until.astimezone(UTC) > now
            assert quiet.end_if_quiet(until, ROME) is None


def test_quiet_hours_follow_the_guest_around_the_world() -> None:
    # Noon in Rome is six in the morning in New York.
    verdict = decide(notice(), replace(TALKING, zone=NEW_YORK))
    assert rule_of(verdict) is Rule.QUIET_HOURS


def test_quiet_hours_may_lie_within_a_day() -> None:
    siesta = RuleBook(QuietHours(time(13), time(16)), daily_cap=4)
    at = replace(TALKING, now=rome(11, 24, 13))
    assert rule_of(can_send(notice(), at, siesta)) is Rule.QUIET_HOURS
    for awake in (rome(11, 24, 12, 59, 59), rome(11, 24, 16)):
        assert can_send(notice(), replace(at, now=awake), siesta) == TEXT


@pytest.mark.parametrize(
    ("kind", "wrote_ago", "rule"),
    [
        (Kind.REPLY, AWAKE - SECOND, None),
        (Kind.REPLY, AWAKE, Rule.QUIET_HOURS),
        (Kind.NOTICE, SECOND, Rule.QUIET_HOURS),
        (Kind.EMERGENCY, AWAKE, None),
        (Kind.PERSON, AWAKE, None),
        (Kind.DESK, AWAKE, None),
    ],
)
def test_at_night_only_who_is_awake_or_in_danger_is_written_to(
    kind: Kind, wrote_ago: timedelta, rule: Rule | None
) -> None:
    night = rome(11, 25, 3)
    standing = Standing(now=night, zone=ROME, wrote_at=night - wrote_ago)
    assert rule_of(decide(proposal(kind), standing)) is rule


@pytest.mark.parametrize(("sent", "rule"), [(3, None), (4, Rule.DAILY_CAP), (5, Rule.DAILY_CAP)])
def test_the_system_writes_so_often_a_day_and_goes_on_tomorrow(
    sent: int, rule: Rule | None
) -> None:
    verdict = decide(notice(), replace(TALKING, notices_today=sent))
    assert rule_of(verdict) is rule
    if isinstance(verdict, Wait):
        assert verdict.until == rome(11, 25, 8)


def test_the_daily_cap_leaves_answers_alone() -> None:
    assert decide(proposal(), replace(TALKING, notices_today=99)) == TEXT


@pytest.mark.parametrize(("ahead", "rule"), [(SECOND, Rule.RETRY_AFTER), (timedelta(0), None)])
@pytest.mark.parametrize("kind", [Kind.REPLY, Kind.EMERGENCY, Kind.PERSON])
def test_a_provider_that_asks_to_wait_is_left_alone_so_long(
    kind: Kind, ahead: timedelta, rule: Rule | None
) -> None:
    paused = replace(TALKING, paused_until=NOON + ahead)
    assert rule_of(decide(proposal(kind), paused)) is rule


def test_texts_and_templates_have_limits_of_their_own() -> None:
    no_texts = replace(TALKING, text_room_at=NOON + SECOND)
    assert decide(proposal(), no_texts) == Wait(
        NOON + SECOND, Rule.PROVIDER_LIMIT, _why(decide(proposal(), no_texts))
    )
    assert decide(notice(), replace(LONG_SILENT, text_room_at=NOON + SECOND)) == TEMPLATE
    no_templates = replace(LONG_SILENT, template_room_at=NOON + SECOND)
    assert rule_of(decide(notice(), no_templates)) is Rule.PROVIDER_LIMIT
    assert decide(notice(), replace(no_templates, template_room_at=NOON)) == TEMPLATE


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(tzinfo=UTC)
)
spans = st.timedeltas(timedelta(0), timedelta(days=3))
standings = st.builds(
    lambda now, wrote_ago, held_ago, **rest: Standing(
        now=now,
        zone=rest.pop("zone"),
        wrote_at=None if wrote_ago is None else now - wrote_ago,
        held_since=None if held_ago is None else now - held_ago,
        paused_until=now + rest.pop("paused_for"),
        **rest,
    ),
    moments,
    st.none() | spans,
    st.none() | spans,
    zone=st.sampled_from([ROME, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]),
    consent=st.sampled_from(Consent),
    duplicate=st.booleans(),
    taken=st.booleans(),
    notices_today=st.integers(0, 8),
    paused_for=spans,
)
proposals = st.builds(
    Proposal,
    kind=st.sampled_from(Kind),
    created_at=moments,
    language=st.sampled_from(sorted(ALL)),
    template=st.booleans(),
    marketing=st.booleans(),
    approved=st.frozensets(st.sampled_from(sorted(ALL))),
    fallback_approved=st.frozensets(st.sampled_from(sorted(ALL))),
)


@given(proposals, standings)
def test_whatever_comes_no_rule_is_broken(proposed: Proposal, standing: Standing) -> None:
    verdict = decide(proposed, standing)
    if isinstance(verdict, Wait):
        assert verdict.until > standing.now
    if not isinstance(verdict, Send):
        return
    is_open = standing.wrote_at is not None and standing.now < standing.wrote_at + WINDOW
    assert (verdict.sent_as is SentAs.TEXT) == is_open
    if verdict.sent_as is SentAs.TEMPLATE:
        approved = proposed.fallback_approved if verdict.fallback else proposed.approved
        assert verdict.language in approved
    if proposed.kind is Kind.NOTICE:
        assert standing.consent is not Consent.WITHDRAWN
        assert standing.held_since is None
        assert BOOK.quiet.end_if_quiet(standing.now, standing.zone) is None

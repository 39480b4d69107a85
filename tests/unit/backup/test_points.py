"""Points that can be gone back to: what a person wrote, and which of all there are is taken."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backup.kinds import Kind
from app.backup.points import Point, PointError, Saved, Span, Wanted, choose, read_wanted
from app.backup.restic import Snapshot

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def saved(minute: int, name: str = "0123456789abcdef", original: str | None = None) -> Saved:
    snapshot = Snapshot(name, Kind.SQLITE, at(minute), "mac", 1000, (), original or name)
    return Saved("/srv/backup", snapshot)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27 16:05", datetime(2026, 11, 27, 15, 5, tzinfo=UTC)),
        ("2026-11-27T16:05:30", datetime(2026, 11, 27, 15, 5, 30, tzinfo=UTC)),
        ("2026-11-27 16:05+00:00", datetime(2026, 11, 27, 16, 5, tzinfo=UTC)),
        ("2026-11-27T16:05:00Z", datetime(2026, 11, 27, 16, 5, tzinfo=UTC)),
        ("16:05", datetime(2026, 11, 27, 15, 5, tzinfo=UTC)),
        ("9:05", datetime(2026, 11, 27, 8, 5, tzinfo=UTC)),
        (" 9:05:07 ", datetime(2026, 11, 27, 8, 5, 7, tzinfo=UTC)),
        # It isn't as late today yet.
        ("23:00", datetime(2026, 11, 26, 22, 0, tzinfo=UTC)),
        # The second half past two of that night.
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_of_the_property_unless_it_says_its_zone(text: str, moment: datetime) -> None:
    assert read_wanted(text, NOW, ROME) == Wanted(moment=moment)


def test_the_latest_and_a_snapshot() -> None:
    assert read_wanted("latest", NOW, ROME) == Wanted()
    assert read_wanted("20261127", NOW, ROME) == Wanted(snapshot="20261127")
    assert read_wanted("a1b2c3d4", NOW, ROME) == Wanted(snapshot="a1b2c3d4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-27 18:00", "still to come"),
        ("2026-11-27", "at what time"),
        ("2026-10-25 02:30", r"twice that night.*\+0200.*\+0100"),
        ("2026-03-29 02:30", "went forward"),
        ("yesterday", "write latest"),
        ("abc123", "write latest"),
        ("25:00", "write latest"),
    ],
)
def test_what_is_no_point_says_how_to_write_one(text: str, said: str) -> None:
    with pytest.raises(PointError, match=said):
        read_wanted(text, NOW, ROME)


@given(st.text(max_size=30))
def test_whatever_is_written_is_understood_or_refused(text: str) -> None:
    try:
        wanted = read_wanted(text, NOW, ROME)
    except PointError:
        return
    assert wanted.moment is None or wanted.moment <= NOW


def test_the_latest_is_the_newest_that_can_be_had() -> None:
    spans = [Span(6, at(-60), at(-30)), Span(7, at(-29), at(-1))]
    points = choose(Wanted(), spans, [saved(-16), saved(-31, "f" * 16)])
    assert [(one.at, one.term) for one in points] == [
        (at(-1), 7),
        (at(-16), None),
        (at(-30), 6),
        (at(-31), None),
    ]
    # Of two of one moment, what was replicated.
    assert choose(Wanted(), spans, [saved(-1)])[0].term == 7
    # Replication stood still: the backup is newer.
    assert choose(Wanted(), spans[:1], [saved(-16)])[0].saved == saved(-16)


def test_a_moment_is_gone_back_to_in_the_term_that_had_it() -> None:
    spans = [Span(6, at(-60), at(-30)), Span(7, at(-29), at(-1))]
    in_seven = choose(Wanted(moment=at(-10)), spans, [saved(-16)])
    assert in_seven[0] == Point(at(-10), term=7, until=at(-10))
    assert [one.at for one in in_seven] == [at(-10), at(-16), at(-30)]
    between = choose(Wanted(moment=at(-29.5)), spans, [saved(-16)])
    assert between == [Point(at(-30), term=6, until=at(-29.5))]


def test_a_snapshot_by_its_id_also_by_what_it_was_before_it_was_tagged() -> None:
    tagged = saved(-5, "b" * 16, original="a" * 16)
    others = [saved(-6, "abcdef0123456789"), tagged]
    for name in ("aaaaaaaa", "bbbbbbbb"):
        assert choose(Wanted(snapshot=name), [], others) == [Point(at(-5), saved=tagged)]
    with pytest.raises(PointError, match="portiere backup list"):
        choose(Wanted(snapshot="00000000"), [], others)
    twins = [saved(-5, "c" * 16), saved(-6, "c" * 8 + "d" * 8)]
    with pytest.raises(PointError, match="write more"):
        choose(Wanted(snapshot="cccccccc"), [], twins)
    # The same in two repositories is one.
    assert choose(Wanted(snapshot="bbbbbbbb"), [], [tagged, tagged])[0].saved == tagged


def test_what_is_older_than_all_says_what_the_oldest_is() -> None:
    with pytest.raises(PointError, match="27 Nov 2026 16:14:00 UTC"):
        choose(Wanted(moment=at(-100)), [Span(7, at(-10), at(-1))], [saved(-16)])
    with pytest.raises(PointError, match="PORTIERE_BACKUP_REPOSITORIES"):
        choose(Wanted(), [], [])


MINUTES = st.integers(-100, 0)


@given(
    st.lists(st.tuples(MINUTES, MINUTES), max_size=3),
    st.lists(MINUTES, max_size=4),
    st.none() | MINUTES,
)
def test_nothing_newer_than_asked_for_is_taken(
    ranges: list[tuple[int, int]], backups: list[int], asked: int | None
) -> None:
    spans = [Span(n, at(min(one)), at(max(one))) for n, one in enumerate(ranges)]
    there = [saved(minute) for minute in backups]
    wanted = Wanted() if asked is None else Wanted(moment=at(asked))
    moment = wanted.moment or NOW
    kept = [span for span in spans if span.first <= moment]
    best = max(
        (*(min(span.last, moment) for span in kept), *(at(m) for m in backups if at(m) <= moment)),
        default=None,
    )
    if best is None:
        with pytest.raises(PointError):
            choose(wanted, spans, there)
        return
    points = choose(wanted, spans, there)
    assert points[0].at == best
    assert all(one.at <= moment for one in points)
    assert [one.at for one in points] == sorted((one.at for one in points), reverse=True)

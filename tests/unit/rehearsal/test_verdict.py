"""What a drill says was lost, came twice or paused, over invented talks."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.rehearsal.verdict import (
    Handed,
    Told,
    first_reply,
    judge,
    longest_pause,
    shared_terms,
    terms_of,
)

MAC, VPS = "203.0.113.2", "203.0.113.20"


@dataclass(frozen=True)
class Fate:
    """What became of one message, as hypothesis decides it."""

    accepted: bool
    replies: int


FATES = st.lists(st.builds(Fate, st.booleans(), st.integers(0, 3)), max_size=40)


@given(
    fates=FATES, others=st.lists(st.sampled_from([None, "welcome-7"]), max_size=5), data=st.data()
)
def test_each_message_is_judged_by_its_own_fate(
    fates: list[Fate], others: list[str | None], data: st.DataObject
) -> None:
    told = [
        Told(f"reply-{number}", number, number + 0.1 if fate.accepted else None)
        for number, fate in enumerate(fates)
    ]
    handed = [Handed(key, 1.0) for key in others]
    handed += [
        Handed(one.key, one.at + 1 + nth)
        for one, fate in zip(told, fates, strict=True)
        for nth in range(fate.replies)
    ]
    verdict = judge(told, data.draw(st.permutations(handed)))

    def keys(which: "list[bool]") -> set[str]:
        return {one.key for one, is_one in zip(told, which, strict=True) if is_one}

    assert set(verdict.lost) == keys([one.accepted and not one.replies for one in fates])
    assert set(verdict.doubled) == keys([one.replies > 1 for one in fates])
    assert set(verdict.unaccepted) == keys([not one.accepted for one in fates])
    assert verdict.answered == sum(one.replies > 0 for one in fates)
    assert verdict.is_good == all(
        one.replies == 1 or not (one.accepted or one.replies) for one in fates
    )


@given(times=st.lists(st.integers(0, 100), max_size=20))
def test_the_longest_pause_is_one_without_a_reply_and_none_is_longer(times: list[int]) -> None:
    pause = longest_pause([Handed("reply-1", at) for at in times], 0, 100)
    starts = [0, *times]

    def is_quiet(start: int, seconds: float) -> bool:
        """Whether no reply comes for so long; the talk ends at 100."""
        return start + seconds <= 100 and not any(start < at < start + seconds for at in times)

    assert any(is_quiet(start, pause) for start in starts)
    assert not any(is_quiet(start, pause + 1) for start in starts)


def test_a_pause_before_the_first_and_after_the_last_reply_counts() -> None:
    assert longest_pause([Handed("reply-1", 7)], 0, 10) == 7
    assert longest_pause([Handed("reply-1", 2)], 0, 10) == 8
    assert longest_pause([Handed("reply-1", 2), Handed("reply-2", 99)], 0, 10) == 8


def test_the_first_reply_is_that_of_the_machine_in_question() -> None:
    handed = [Handed("a", 5, MAC), Handed("b", 11, MAC), Handed("c", 31, VPS), Handed("d", 32, VPS)]
    assert first_reply(handed, 10) == 1
    assert first_reply(handed, 10, VPS) == 21
    assert first_reply(handed, 40, VPS) is None


def test_two_machines_that_send_in_one_term_are_found() -> None:
    terms = terms_of([{"a": 1, "b": 1}, {"b": 1, "c": 2}])
    clean = [Handed("a", 1, MAC), Handed("b", 2, MAC), Handed("c", 3, VPS), Handed(None, 4, VPS)]
    assert shared_terms(clean, terms) == {}
    assert shared_terms([*clean, Handed("b", 4, VPS)], terms) == {1: [MAC, VPS]}


def test_a_message_that_its_echo_settled_in_the_next_term_accuses_nobody() -> None:
    """The Mac sent it in term 1 and died; the VPS claimed it in term 2 and found the echo."""
    terms = terms_of([{"a": 1}, {"a": 2, "b": 2}])
    assert shared_terms([Handed("a", 1, MAC), Handed("b", 2, VPS)], terms) == {}
    # Nor one that was claimed in term 2, and sent in term 3.
    terms = terms_of([{"a": 3}, {"a": 2, "b": 2}])
    assert shared_terms([Handed("b", 1, VPS), Handed("a", 2, MAC)], terms) == {}

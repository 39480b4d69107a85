"""Sealed columns and the blind index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.seal import Seal, SealError

OLD, NEW, INDEX = b"o" * 32, b"n" * 32, b"i" * 32


@given(st.text(), st.text())
def test_what_is_sealed_opens_in_its_place(plain: str, context: str) -> None:
    seal = Seal({"k1": OLD}, INDEX)
    assert seal.open(seal.seal(plain, context), context) == plain


def test_it_opens_nowhere_else() -> None:
    seal = Seal({"k1": OLD}, INDEX)
    sealed = seal.seal("+390000000001", "outbox.phone:a")
    with pytest.raises(SealError):
        seal.open(sealed, "outbox.phone:b")


@pytest.mark.parametrize("position", [4, 16, -1])
def test_a_changed_value_does_not_open(position: int) -> None:
    seal = Seal({"k1": OLD}, INDEX)
    sealed = bytearray(seal.seal("secret", "c"))
    sealed[position] ^= 1
    with pytest.raises(SealError):
        seal.open(bytes(sealed), "c")


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed = Seal({"k1": OLD}, INDEX).seal("x", "c")
    rotated = Seal({"k2": NEW, "k1": OLD}, INDEX)
    assert rotated.open(sealed, "c") == "x"
    assert rotated.seal("x", "c")[1:3] == b"k2"


def test_a_key_that_is_gone_is_named() -> None:
    sealed = Seal({"k1": OLD}, INDEX).seal("x", "c")
    with pytest.raises(SealError, match="k1"):
        Seal({"k2": NEW}, INDEX).open(sealed, "c")


def test_two_seals_of_the_same_differ_and_two_indexes_do_not() -> None:
    seal = Seal({"k1": OLD}, INDEX)
    assert seal.seal("x", "c") != seal.seal("x", "c")
    assert seal.index("+390000000001") == seal.index("+390000000001")
    assert seal.index("+390000000001") != seal.index("+390000000002")

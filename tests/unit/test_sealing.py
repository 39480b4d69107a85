"""Sealed columns and the blind index."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.sealing import Seal, SealError, header

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


@given(st.binary(max_size=80))
def test_what_was_never_sealed_does_not_open(made_up: bytes) -> None:
    with pytest.raises(SealError):
        Seal({"k1": OLD}, INDEX).open(made_up, "c")


@given(st.binary(max_size=60))
def test_nothing_behind_a_good_header_opens_by_chance(made_up: bytes) -> None:
    with pytest.raises(SealError):
        Seal({"k1": OLD}, INDEX).open(header("k1") + made_up, "c")


@given(st.text(), st.data())
def test_a_truncated_value_does_not_open(plain: str, data: st.DataObject) -> None:
    seal = Seal({"k1": OLD}, INDEX)
    sealed = seal.seal(plain, "c")
    kept = data.draw(st.integers(min_value=0, max_value=len(sealed) - 1))
    with pytest.raises(SealError):
        seal.open(sealed[:kept], "c")


@given(st.text(), st.data())
def test_a_value_with_any_byte_changed_does_not_open(plain: str, data: st.DataObject) -> None:
    seal = Seal({"k1": OLD, "k2": NEW}, INDEX)
    sealed = bytearray(seal.seal(plain, "c"))
    position = data.draw(st.integers(min_value=0, max_value=len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(min_value=1, max_value=255))
    with pytest.raises(SealError):
        seal.open(bytes(sealed), "c")


def test_what_is_no_text_inside_does_not_open() -> None:
    sealed = header("k1") + b"n" * 12 + AESGCM(OLD).encrypt(b"n" * 12, b"\xff\xfe", b"c")
    with pytest.raises(SealError):
        Seal({"k1": OLD}, INDEX).open(sealed, "c")


def test_an_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed = Seal({"k1": OLD}, INDEX).seal("x", "c")
    rotated = Seal({"k2": NEW, "k1": OLD}, INDEX)
    assert rotated.open(sealed, "c") == "x"
    assert rotated.seal("x", "c").startswith(header("k2"))
    assert (rotated.current, rotated.retired) == ("k2", ["k1"])


def test_a_key_that_is_gone_is_named() -> None:
    sealed = Seal({"k1": OLD}, INDEX).seal("x", "c")
    with pytest.raises(SealError, match="k1"):
        Seal({"k2": NEW}, INDEX).open(sealed, "c")


def test_two_seals_of_the_same_differ_and_two_indexes_do_not() -> None:
    seal = Seal({"k1": OLD}, INDEX)
    assert seal.seal("x", "c") != seal.seal("x", "c")
    assert seal.index("+390000000001") == seal.index("+390000000001")
    assert seal.index("+390000000001") != seal.index("+390000000002")

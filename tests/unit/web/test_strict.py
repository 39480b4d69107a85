"""Strict JSON: what is taken means the same to every reader."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.strict import NotStrictError, loads

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values, st.booleans())
def test_whatever_json_can_say_is_read_as_it_was_meant(value: object, escaped: bool) -> None:
    assert loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.text(st.characters(codec="utf-8"), max_size=5), values, values)
def test_a_name_twice_is_refused_wherever_it_is(name: str, one: object, other: object) -> None:
    quoted = json.dumps(name)
    twice = f"{{{quoted}: {json.dumps(one)}, {quoted}: {json.dumps(other)}}}"
    for text in (twice, f"[{twice}]", f'{{"in": {twice}}}'):
        with pytest.raises(NotStrictError):
            loads(text.encode())


@given(st.binary(max_size=60))
def test_no_bytes_whatever_are_another_error(body: bytes) -> None:
    try:
        found = loads(body)
    except NotStrictError:
        return
    assert json.dumps(found) == json.dumps(json.loads(body))
    assert not (isinstance(found, float) and math.isnan(found))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[-1e999]",
        b'"\\ud800"',
        b'{"a": "\\udfff"}',
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b"{'a': 1}",
        b"[1,]",
        b"{} {}",
        b"1" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_readers_differ_over_is_refused(body: bytes) -> None:
    with pytest.raises(NotStrictError):
        loads(body)

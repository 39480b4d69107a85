"""Hypothesis strategies that damage a JSON value somewhere."""

import copy
from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_GONE = object()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside ``value``."""
    if isinstance(value, dict):
        inner = [places(one, (*path, key)) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [places(one, (*path, index)) for index, one in enumerate(value)]
    else:
        inner = []
    return ([path] if path else []) + [one for each in inner for one in each]


@st.composite
def damaged(draw: st.DrawFn, values: list[Any]) -> Any:
    """One of ``values`` with up to three of its parts removed, replaced or doubled."""
    found = copy.deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(1, 3))):
        if not (here := places(found)):
            break
        _put(found, draw(st.sampled_from(here)), draw(JSON | st.just(_GONE)))
    return found


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    *parents, last = path
    for step in parents:
        value = value[step]
    if new is not _GONE:
        value[last] = new
    elif isinstance(value, list):
        value.insert(last, copy.deepcopy(value[last]))
    else:
        del value[last]

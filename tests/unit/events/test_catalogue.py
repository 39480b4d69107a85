"""The names of events and their schemas; the page that is made of them."""

import re
import runpy
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.events.catalogue import CATALOGUE, CUSTOM, NAME_PATTERN, payload_of

ROOT = Path(__file__).parents[3]


def test_the_page_of_events_is_current() -> None:
    generated = runpy.run_path(str(ROOT / "docs/generate_events.py"))["page"]()
    assert (ROOT / "docs/events.md").read_text() == generated


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_payload_has_nothing_besides_its_schema(name: str) -> None:
    with pytest.raises(ValidationError):
        CATALOGUE[name].payload.model_validate({"phone": "+390000000001"})


@pytest.mark.parametrize("name", CATALOGUE)
def test_none_of_ours_passes_for_a_tools(name: str) -> None:
    assert not name.startswith(CUSTOM)
    assert not re.match(NAME_PATTERN, name)


@pytest.mark.parametrize("name", ["custom.", "custom.A", "custom.a.", "custom.a\n", "customs.a"])
def test_names_that_no_tool_may_use(name: str) -> None:
    assert not re.fullmatch(NAME_PATTERN.strip("^$"), name)


def test_a_name_that_is_nobodys() -> None:
    with pytest.raises(KeyError):
        payload_of("message.dreamt")

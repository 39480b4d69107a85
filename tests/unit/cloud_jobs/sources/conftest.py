"""The services outside, each test with its own."""

from collections.abc import Iterator

import pytest

from tests.support.outside.server import Outside


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as services:
        yield services

"""The invented hotel, and everything loaded once."""

import pytest

from app.conversation.property import Property
from app.conversation.replying import warm_up
from tests.unit.conversation.talking import EXAMPLE


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    warm_up()


@pytest.fixture(scope="session")
def facts() -> Property:
    return EXAMPLE

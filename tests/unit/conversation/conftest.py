"""The invented hotel, and everything loaded once."""

from pathlib import Path
from typing import Final

import pytest

from app.conversation import property as properties
from app.conversation.concierge import warm_up
from app.conversation.property import Property

EXAMPLE: Final = Path(properties.__file__).with_name("property.example.yml")


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    warm_up()


@pytest.fixture(scope="session")
def facts() -> Property:
    return properties.load(EXAMPLE)


@pytest.fixture(scope="session")
def example_file() -> Path:
    return EXAMPLE

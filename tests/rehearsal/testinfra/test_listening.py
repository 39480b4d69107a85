"""Nothing listens but on loopback and the link, except what is named with its reason."""

from tests.rehearsal.testinfra.conftest import Target
from tests.rehearsal.testinfra.listeners import difference, listeners


def test_only_what_was_meant_listens(target: Target) -> None:
    found = listeners(target.host)
    assert found, "no socket at all: the host was not asked rightly"
    wrong = difference(
        found, target.link_address, target.expected.listening, target.expected.exceptions
    )
    assert not wrong, f"{target.name}: + listens, - should\n" + "\n".join(wrong)

"""docs/mail.md names every subject that is recognised, and says which were never seen."""

from pathlib import Path
from types import ModuleType

import pytest

from cloud_jobs.mail.results import Doubt, Nothing
from cloud_jobs.mail.senders import airbnb, booking_com, relays, scidoo, smoobu, vrbo

PAGE = (Path(__file__).parents[4] / "docs/mail.md").read_text()


@pytest.mark.parametrize(
    ("sender", "longest"),
    [
        (booking_com, "{date}"),
        (airbnb, ""),
        (vrbo, ""),
        (smoobu, "{channel}"),
        (scidoo, "{channel}"),
    ],
)
def test_every_subject_is_in_the_page(sender: ModuleType, longest: str) -> None:
    for line in sender.SUBJECTS:
        if longest in line.pattern:
            assert PAGE.count(f"`{line.pattern}`") == 1
            assert (rf"`{line.pattern}` \*" in PAGE) == line.inferred


def test_every_reason_and_every_domain_is_in_the_page() -> None:
    senders = (airbnb, booking_com, scidoo, smoobu, vrbo)
    domains = [domain for sender in senders for domain in sender.DOMAINS]
    for name in (*Doubt, *Nothing, *domains, *relays.CHANNELS):
        assert f"`{name}`" in PAGE

"""Values beside or below their labels, believed where all say the same."""

import pytest

from cloud_jobs.mail.html import MOST_TAGS, page
from cloud_jobs.mail.labels import believed, claims, labels
from cloud_jobs.mail.words import fold, rows

TABLE = labels(arrival="Check-in|Arrivée", departure="Check-out", guest="Nom")


@pytest.mark.parametrize(
    "text",
    [
        "Arrivée : lundi\nCheck-out: mardi",
        "CHECK-IN\tlundi\nCHECK-OUT\tmardi",
        "Check-in     lundi\nCheck-out    mardi",
        "Check-in\n\nlundi\n\nCheck-out\n\nmardi",
        "Check-in      Check-out\n\nlundi      mardi",
        "Check-in: lundi\nCheck-out: mardi\nCheck-in: LUNDI",
    ],
)
def test_a_value_stands_beside_or_below_its_label(text: str) -> None:
    found = believed(claims([rows(text)], TABLE))
    assert {field: fold(value) for field, value in found.items()} == {
        "arrival": "lundi",
        "departure": "mardi",
    }


def test_a_label_that_says_two_things_says_nothing() -> None:
    claimed = claims([rows("Check-in: lundi\nCheck-out: mardi\nCheck-in: jeudi")], TABLE)
    assert claimed["arrival"] == ["lundi", "jeudi"]
    assert believed(claimed) == {"departure": "mardi"}


@pytest.mark.parametrize(
    "text", ["Check-in\nCheck-out", "Check-in", "Check-in:", "my check-in is ok"]
)
def test_a_label_without_a_value_says_nothing(text: str) -> None:
    assert claims([rows(text)], TABLE) == {}


def test_a_value_after_one_space_only_where_the_sender_writes_so() -> None:
    assert claims([rows("Check-in lundi")], TABLE) == {}
    assert claims([rows("Check-in lundi")], TABLE, spaced=True) == {"arrival": ["lundi"]}


def test_the_first_part_that_says_something_is_taken() -> None:
    empty, full, other = rows("Bonjour"), rows("Nom: Luc"), rows("Nom: Max")
    assert claims([empty, full, other], TABLE) == {"guest": ["Luc"]}


def test_html_is_laid_out_as_it_is_seen() -> None:
    found = page(
        "<title>Nom: no</title><body><style>Nom: no</style><script>Nom: no</script>"
        "<table><tr><td><p>Check-in</p></td>"
        "<td>lun<b>di</b></td></tr></table>Foot<a href='https://example.invalid/1'>more</a>"
    )
    assert rows(found.text) == [["Check-in"], ["lundi"], ["Footmore"]]
    assert found.links == ("https://example.invalid/1",)


def test_html_of_too_many_tags_is_not_read() -> None:
    assert page("<b>" * MOST_TAGS + "x").text == "x"
    assert page("<b>" * (MOST_TAGS + 1) + "x").text == ""

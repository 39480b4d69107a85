"""Warnings are recognised in their services' languages, said in guests', and told when news."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from cloud_jobs.settings import CloudSettings
from cloud_jobs.sources import openweather, weather_watch
from cloud_jobs.sources.http import RefusedError, UnavailableError
from cloud_jobs.sources.openweather import Alert, OneCall
from cloud_jobs.sources.weather_watch import Warned, warned
from cloud_jobs.sources.weather_words import OTHER, kind_of, level_of, said, words
from cloud_jobs.store.database import Store
from tests.support.cloud_layer import SEAL_KEYS
from tests.support.outside import openweather as double
from tests.support.outside.server import Outside

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert(event: str = "Yellow Wind Warning", start: int = 2, end: int = 8, **more: Any) -> Alert:
    """Begins and ends so many hours after NOW."""
    body = {"event": event, "start": _unix(NOW + start * HOUR), "end": _unix(NOW + end * HOUR)}
    return Alert.model_validate(body | more)


def settings(outside: Outside, **fields: Any) -> CloudSettings:
    given: dict[str, Any] = {
        "seal_keys": SEAL_KEYS,
        "openweather_url": outside.url,
        "openweather_key": double.KEY,
        "latitude": Decimal("41.9"),
        "longitude": Decimal("12.5"),
    }
    return CloudSettings(_env_file=None, **(given | fields))


@pytest.mark.parametrize(
    ("event", "kind", "level"),
    [
        ("Yellow Thunderstorm Warning", "thunderstorm", 1),
        ("Allerta Gialla Temporali", "thunderstorm", 1),
        ("Allerta arancione per rischio idrogeologico", "flood", 2),
        ("Amtliche WARNUNG vor STARKEM GEWITTER", "thunderstorm", 0),
        ("Amtliche WARNUNG vor STURMBÖEN", "wind", 0),
        ("Sturmflut", "coast", 0),
        ("Vigilance orange orages", "thunderstorm", 2),
        ("Vigilance jaune vent violent", "wind", 1),
        ("Aviso amarillo por lluvias", "rain", 1),
        ("Aviso rojo por fenómenos costeros", "coast", 3),
        ("Snow and Ice Advisory", "snow", 0),
        ("Glätte", "snow", 0),
        ("Extreme heat warning", "heat", 3),
        ("Heat Advisory", "heat", 0),
        ("Allerta rossa neve", "snow", 3),
        ("Ondate di calore", "heat", 0),
        ("Orange Coastal event", "coast", 2),
        ("Moderate Low temperature", "cold", 1),
        ("Reduced visibility: fog", "fog", 0),
        ("Hurricane Warning", "storm", 0),
        ("Waldbrandgefahr", "fire", 0),
        ("Valanghe", "avalanche", 0),
        ("Meteorological something", OTHER, 0),
        ("", OTHER, 0),
    ],
)
def test_what_is_warned_of_is_recognised(event: str, kind: str, level: int) -> None:
    assert (kind_of(event, []), level_of(event)) == (kind, level)


def test_openweathers_own_words_help_where_the_services_dont() -> None:
    assert kind_of("Varoitus", ["Wind"]) == "wind"
    assert kind_of("Varoitus", ["Extreme temperature value"]) == "temperature"
    assert kind_of("Temporali", ["Wind"]) == "thunderstorm"


@pytest.mark.parametrize("kind", list(words().kinds))
@pytest.mark.parametrize("level", range(4))
def test_each_is_said_in_five_languages_and_fits_a_message(kind: str, level: int) -> None:
    longest = datetime(2026, 9, 23, 9, tzinfo=UTC)
    text = said(kind, level, (longest, longest + 60 * HOUR), NOW - 90 * 24 * HOUR, ROME)
    assert sorted(text) == ["de", "en", "es", "fr", "it"]
    assert len(set(text.values())) == 5
    assert all(0 < len(one) <= 200 and "{" not in one for one in text.values())


def test_the_time_is_said_by_the_propertys_clock() -> None:
    def italian(start: int, end: int) -> str:
        return said("wind", 0, (NOW + start * HOUR, NOW + end * HOUR), NOW, ROME)["it"]

    assert italian(4, 9) == "vento forte, martedì 1 dicembre dalle 14:00 alle 19:00"
    assert italian(4, 40) == (
        "vento forte, dalle 14:00 di martedì 1 dicembre alle 02:00 di giovedì 3 dicembre"
    )
    assert italian(0, 9) == "vento forte, fino alle 19:00 di martedì 1 dicembre"


def test_a_word_that_isnt_known_is_never_shown() -> None:
    (one,) = warned([alert("Varoitus: halla")], NOW)
    text = said(one.kind, one.level, (one.starts_at, one.ends_at), NOW, ROME)
    assert one.event == "other:varoitus halla"
    assert "maltempo" in text["it"]
    assert not any("halla" in said_so for said_so in text.values())


def test_one_kind_at_one_time_is_one_warning_the_worst() -> None:
    found = warned(
        [
            alert("Allerta gialla vento", 1, 20),
            alert("Orange Wind Warning", 3, 8),
            alert("Vento: allerta gialla", 1, 20),
            alert("Yellow Rain Warning", 1, 20),
            alert("Yellow Wind Warning", 30, 40),
            alert("Yellow Snow Warning", -9, -1),
            alert("Yellow Fog Warning", 5, 5),
        ],
        NOW,
    )
    assert [(one.event, one.level, one.starts_at) for one in found] == [
        ("wind", 2, NOW + 3 * HOUR),
        ("rain", 1, NOW + HOUR),
        ("wind", 1, NOW + 30 * HOUR),
    ]


@pytest.fixture
def told(new_url: Any) -> Any:
    """Tells warnings to a store; which of them were news."""
    store = Store(new_url())

    def tell(*alerts: Alert) -> list[Warned]:
        with store.writing() as session:
            found = weather_watch.news(session, warned(alerts, NOW))
            for one in found:
                weather_watch.remember(session, one, NOW)
        return found

    yield tell
    store.close()


def test_a_warning_is_news_once_and_when_it_really_changes(told: Any) -> None:
    (first,) = told(alert())
    assert told(alert()) == []
    assert told(alert("Avviso giallo: vento")) == []  # in another language
    assert told(alert(start=3, end=10)) == []  # written anew, a little later
    (longer,) = told(alert(end=11))
    assert longer.key == first.key
    (worse,) = told(alert("Orange Wind Warning", end=11))
    assert (worse.key, worse.level) == (first.key, 2)
    assert told(alert("Yellow Wind Warning", end=11)) == []  # not so bad after all
    (other,) = told(alert("Orange Rain Warning"))
    assert other.key != first.key
    (next_one,) = told(alert(start=30, end=40))
    assert next_one.key != first.key


def test_the_warnings_of_a_place_are_asked_for(outside: Outside) -> None:
    with openweather.opened(settings(outside)) as service:
        assert openweather.alerts(service, settings(outside)) == ()
        outside.openweather.alerts = [
            {
                "sender_name": "Invented Weather",
                "event": "Yellow Wind Warning",
                "start": _unix(NOW),
                "end": _unix(NOW + HOUR),
                "description": "",
                "tags": ["Wind"],
            }
        ]
        (one,) = openweather.alerts(service, settings(outside))
    assert (one.event, one.starts_at, one.tags) == ("Yellow Wind Warning", NOW, ("Wind",))
    assert outside.openweather.calls == 2


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_known_by_its_status(outside: Outside, status: int) -> None:
    wrong = settings(outside, openweather_key="wrong") if status == 401 else settings(outside)
    if status == 404:
        outside.fail("openweather", 404)
    with openweather.opened(wrong) as service, pytest.raises(RefusedError) as caught:
        openweather.alerts(service, wrong)
    assert caught.value.status == status


def test_a_question_is_asked_once(outside: Outside) -> None:
    outside.fail("openweather", 500)
    with openweather.opened(settings(outside)) as service, pytest.raises(UnavailableError):
        openweather.alerts(service, settings(outside))
    assert outside.requests["openweather"] == 1


VALUES = st.none() | st.integers(-5, 10**12) | st.text(max_size=20) | st.lists(st.text(max_size=5))
BODIES = st.lists(
    st.fixed_dictionaries(
        {"start": st.integers(0, 4 * 10**9), "end": st.integers(0, 4 * 10**9)},
        optional={"event": VALUES, "tags": VALUES, "sender_name": VALUES, "more": VALUES},
    ),
    max_size=4,
)


@trying(max_examples=50)
@given(BODIES)
def test_whatever_is_warned_of_can_be_said(bodies: Sequence[Any]) -> None:
    found = warned(OneCall.model_validate({"alerts": bodies}).alerts, NOW)
    for one in found:
        assert one.ends_at > NOW
        assert len(one.event) <= 200
        text = said(one.kind, one.level, (one.starts_at, one.ends_at), NOW, ROME)
        assert all(len(value) <= 200 for value in text.values())


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())

"""What the desk is told about who leads: in its language, once, and not of what heals by itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.alerting import Alert
from app.conversation.language import Language
from app.ha.alerts import PATIENCE, Change, Trouble, Troubles, tell_lead_changed, tell_trouble
from app.messages.alerts import Alerts, Channel
from app.sealing import Seal
from app.store.database import Database, Row, open_database

ROME = ZoneInfo("Europe/Rome")
SEAL = Seal({"k1": b"k" * 32}, b"i" * 32)
NOON = datetime(2026, 11, 24, 11, 5, tzinfo=UTC)  # 12:05 in Rome
LASTING = [alert for alert in Alert if alert in PATIENCE]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = open_database(tmp_path / "p.db")
    yield found
    found.close()


def changed(database: Database, language: Language, change: Change) -> None:
    alerts = Alerts(database, SEAL, [Channel.SLACK])
    with database.transaction() as connection:
        tell_lead_changed(alerts, connection, language, ROME, change)


def troubled(database: Database, language: Language, trouble: Trouble) -> None:
    alerts = Alerts(database, SEAL, [Channel.SLACK])
    with database.transaction() as connection:
        tell_trouble(alerts, connection, language, ROME, trouble)


def rows(database: Database) -> list[Row]:
    return database.all("SELECT * FROM alerts ORDER BY id")


def texts(database: Database) -> list[str]:
    found = [SEAL.open(row["sealed_text"], f"alerts.text:{row['key']}") for row in rows(database)]
    assert not any("{" in text for text in found)
    return found


FAILOVER = Change("vps", "mac", 4, "failover", unseen_since=NOON)


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        (Language.IT, ("da vps (mandato 4)", "12:05", "Nulla è perso.", "corrente e internet")),
        (Language.EN, ("from vps now (term 4)", "12:05 pm", "Nothing was lost.", "has power")),
        (Language.DE, ("von vps aus (Amtszeit 4)", "12:05 Uhr", "Verloren ist nichts.", "Strom")),
        (Language.FR, ("depuis vps (mandat 4)", "12 h 05", "Rien n'est perdu.", "du courant")),
        (Language.ES, ("desde vps (mandato 4)", "12:05", "No se ha perdido nada.", "corriente")),
    ],
)
def test_a_failover_is_told_with_why_what_was_lost_and_what_to_do(
    database: Database, language: Language, parts: tuple[str, ...]
) -> None:
    changed(database, language, FAILOVER)
    (text,) = texts(database)
    for part in (*parts, "mac"):
        assert part in text
    assert (rows(database)[0]["kind"], rows(database)[0]["urgent"]) == ("lead_changed", 1)


@pytest.mark.parametrize("language", Language)
def test_what_is_in_doubt_and_what_only_the_other_has_are_told(
    database: Database, language: Language
) -> None:
    changed(database, language, Change("vps", "mac", 4, "failover", in_doubt=17, alone=39))
    (text,) = texts(database)
    assert "(17)" in text
    assert "(39)" in text


def test_a_switchover_wakes_nobody_and_asks_for_nothing(database: Database) -> None:
    changed(database, Language.EN, Change("mac", "vps", 5, "switchover"))
    (text,) = texts(database)
    assert text == (
        "Portiere answers guests from mac now (term 5): vps handed over in order. "
        "Nothing was lost. There is nothing you must do."
    )
    assert rows(database)[0]["urgent"] == 0


def test_after_a_forced_change_the_other_is_to_be_off(database: Database) -> None:
    changed(database, Language.EN, Change("vps", "mac", 1000, "forced"))
    assert "Make sure that mac is off" in texts(database)[0]


@pytest.mark.parametrize("language", Language)
def test_a_restore_is_told_with_when_the_data_are_from(
    database: Database, language: Language
) -> None:
    changed(database, language, Change("mac", "vps", 6, "restored", made_at=NOON))
    (text,) = texts(database)
    assert "12:05" in text or "12 h 05" in text
    assert str(NOON.year) in text
    assert rows(database)[0]["urgent"] == 1


def test_a_restore_says_what_comes_again_and_what_is_to_be_entered(database: Database) -> None:
    changed(database, Language.EN, Change("mac", "vps", 6, "restored", in_doubt=2))
    (text,) = texts(database)
    assert "a backup was restored" in text
    assert "what was sent is not sent again" in text
    assert "enter what changed since" in text


def test_a_term_is_told_once_and_the_first_not_at_all(database: Database) -> None:
    changed(database, Language.EN, Change("mac", "vps", 1, "first"))
    for _ in range(2):
        changed(database, Language.EN, FAILOVER)
    assert len(rows(database)) == 1


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("alert", LASTING)
def test_a_trouble_is_told_with_since_when_and_where_to_look(
    database: Database, alert: Alert, language: Language
) -> None:
    trouble = Trouble(alert, "mac", NOON, count=23)
    for _ in range(2):
        troubled(database, language, trouble)
    (text,) = texts(database)
    assert "12:05" in text or "12 h 05" in text
    assert "mac" in text
    assert "portiere ha " in text
    assert ("(23)" in text) == (alert is Alert.SPOOLED_TOO_LONG)


def test_what_heals_in_time_is_told_to_nobody() -> None:
    troubles = Troubles()
    behind = [(Alert.STANDBY_BEHIND, "vps", 0)]
    patience = PATIENCE[Alert.STANDBY_BEHIND]
    assert not troubles.due(behind, NOON)
    assert not troubles.due([], NOON + patience / 2)
    assert not troubles.due(behind, NOON + patience)
    (told,) = troubles.due(behind, NOON + 2 * patience)
    assert told == Trouble(Alert.STANDBY_BEHIND, "vps", NOON + patience)


SEEN = st.lists(st.tuples(st.sampled_from(LASTING), st.sampled_from(["mac", "vps"])), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 300), SEEN), max_size=30))
def test_a_trouble_is_told_once_for_as_long_as_it_lasts(
    looks: list[tuple[int, list[tuple[Alert, str]]]],
) -> None:
    troubles, now = Troubles(), NOON
    began: dict[tuple[Alert, str], datetime] = {}
    told: set[tuple[Alert, str, datetime]] = set()
    for seconds, seen in looks:
        now += timedelta(seconds=seconds)
        began = {one: began.get(one, now) for one in seen}
        due = troubles.due([(*one, 1) for one in seen], now)
        expected = {
            (*one, since)
            for one, since in began.items()
            if now - since >= PATIENCE[one[0]] and (*one, since) not in told
        }
        assert {(one.alert, one.who, one.since) for one in due} == expected
        assert len(due) == len(expected)
        told |= expected

"""`property.yml`: what hosts write, and what they are told when it can't be used."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from app.conversation.language import Language
from app.conversation.property import (
    Breakfast,
    CheckIn,
    CheckOut,
    EarlyCheckIn,
    ExtraGuest,
    Extras,
    LateCheckOut,
    Property,
    PropertyError,
    Transfer,
    Wifi,
    load,
)

SMALLEST = """\
name: Casa Lumaca
default_language: it
time_zone: Europe/Rome
emergency_number: 112
"""
DOCUMENTATION = Path(__file__).parents[3] / "docs/property.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "property.yml"


def test_the_example_is_complete_in_five_languages(facts: Property) -> None:
    assert all(getattr(facts, field) is not None for field in Property.model_fields)
    assert facts.check_in
    assert facts.check_out
    assert facts.breakfast
    assert facts.extras
    extras = (
        facts.extras.early_checkin,
        facts.extras.late_checkout,
        facts.extras.extra_guest,
        facts.extras.transfer,
    )
    for text in (
        facts.parking,
        facts.house_rules,
        facts.directions,
        facts.luggage,
        facts.amenities,
        facts.pets,
        facts.local_tips,
        facts.transport,
        facts.invoice,
        *(extra.details if extra else None for extra in extras),
        facts.check_in.how,
        facts.check_out.how,
        facts.breakfast.details,
    ):
        assert text
        assert set(text) == set(Language)


def test_what_is_left_out_or_left_empty_is_unknown(file: Path) -> None:
    file.write_text(f"{SMALLEST}address:\nparking: ''\n")
    facts = load(file)
    left_out = set(Property.model_fields) - {
        "name",
        "default_language",
        "time_zone",
        "emergency_number",
    }
    assert all(getattr(facts, field) is None for field in left_out)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("15:00", dt.time(15)), ("7:30", dt.time(7, 30)), ("'08.15'", dt.time(8, 15))],
)
def test_times_need_no_quotes(file: Path, written: str, meant: dt.time) -> None:
    file.write_text(f"{SMALLEST}check_in: {{from: {written}}}\n")
    facts = load(file)
    assert facts.check_in
    assert facts.check_in.from_ == meant


@pytest.mark.parametrize("password", ["0123", "1e5", "no", "null", "2024-01-01", "12_34"])
def test_a_password_is_what_is_written(file: Path, password: str) -> None:
    file.write_text(f"{SMALLEST}wifi: {{network: N, password: {password}}}\n")
    facts = load(file)
    assert facts.wifi
    assert facts.wifi.password
    assert facts.wifi.password.get_secret_value() == password
    assert password not in repr(facts.wifi)


def test_a_plain_text_is_in_the_default_language(file: Path) -> None:
    file.write_text(f"{SMALLEST}parking: Nel cortile.\n")
    assert load(file).parking == {Language.IT: "Nel cortile."}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("25", "25"), ("12.50", "12.50"), ("12,5", "12.5"), ("0", "0"), ("'0.00'", "0")],
)
def test_a_price_is_exact(file: Path, written: str, meant: str) -> None:
    extra = f"extras:\n  transfer:\n    price: {written}\n"
    file.write_text(f"{SMALLEST}currency: EUR\n{extra}")
    extras = load(file).extras
    assert extras
    assert extras.transfer
    assert extras.transfer.price == Decimal(meant)


def test_no_price_is_taken_from_an_extra_that_is_left_out(file: Path) -> None:
    file.write_text(f"{SMALLEST}currency: EUR\nextras:\n  transfer: {{price: 18}}\n")
    extras = load(file).extras
    assert extras
    assert extras.late_checkout is None


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("check_in: {from: 3 pm}", "line 5, check_in.from: write a time of day as hours and"),
        ("check_in: {from: 24:00}", "line 5, check_in.from: write a time of day as hours and"),
        ("check_in: {until: 22:00}", "line 5, check_in.from: add this field"),
        (
            "chek_in: {from: 15:00}",
            "line 5, chek_in: there is no such field; did you mean check_in?",
        ),
        (
            "wifi:\n  network: N\n  pasword: x",
            "line 7, wifi.pasword: there is no such field; did you",
        ),
        ("wifi:\n  network: N\n  channel: 5", "the fields here are network, password, details"),
        ("wifi: MyNetwork", "line 5, wifi: write its fields on lines of their own, indented below"),
        ("parking: {en: Yes}", "line 5, parking: add the text in your default language, it"),
        ("parking: {it: Si, jp: Hai}", "line 5, parking.jp: write one of it, en, de, fr, es"),
        ("parking: [a, b]", "line 5, parking: write one text here, or one text a language"),
        ("parking:\n  it: [a]", "line 6, parking.it: write one text here, not a list or fields"),
        (f"parking: {'x' * 551}", "line 5, parking.it: shorten this to 550 characters"),
        ("breakfast: {from: 7:30}", "line 5, breakfast: write both from and until, or neither"),
        ("breakfast: {from: ''}", "line 5, breakfast: write from and until, or details, or leave"),
        ("extras: {transfer: {price: 18}}", "the file: add currency, which the prices of your"),
        ("currency: €", "line 5, currency: write the currency as its three capital letters"),
        ("currency: XYZ", "line 5, currency: write the currency as its three capital letters"),
        (
            "currency: EUR\nextras:\n  transfer:\n    price: 18 €",
            "line 8, extras.transfer.price: write a price as a number without the currency",
        ),
        (
            "currency: EUR\nextras: {transfer: {price: -5}}",
            "line 6, extras.transfer.price: write a price as a number without the currency",
        ),
        (
            "currency: EUR\nextras:\n  late_checkout: {price: 5}",
            "line 7, extras.late_checkout.until: add this field",
        ),
        (
            "currency: EUR\nextras:\n  late_chekout: {price: 5}",
            "line 7, extras.late_chekout: there is no such field; did you mean late_checkout?",
        ),
        ("desk_phone: 0000000", "line 5, desk_phone: write the whole phone number with +"),
        ("desk_phone: +39 00", "line 5, desk_phone: write the whole phone number with +"),
        ("name: Again", "line 5: name is there twice (first in line 1); remove one"),
        ("parking: Note: on the left", "line 5: this isn't YAML"),
        ("wifi:\n\tnetwork: N", "line 6: this isn't YAML"),
        ("wifi: {network: N, password: @home}", "begins with a sign"),
    ],
)
def test_a_mistake_is_told_with_its_line(file: Path, added: str, told: str) -> None:
    file.write_text(f"{SMALLEST}{added}\n")
    with pytest.raises(PropertyError) as error:
        load(file)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: Casa Lumaca\n", "", "- name: add this field"),
        ("emergency_number: 112\n", "", "- emergency_number: add this field"),
        ("112", "the police", "line 4, emergency_number: write the number to call"),
        ("Europe/Rome", "Rome", "line 3, time_zone: write a time zone as continent and city"),
        ("Europe/Rome", "../etc", "line 3, time_zone: write a time zone as continent and city"),
        ("_language: it", "_language: Italian", "line 2, default_language: write one of it, en"),
    ],
)
def test_what_is_needed_is_asked_for(file: Path, old: str, new: str, told: str) -> None:
    file.write_text(SMALLEST.replace(old, new))
    with pytest.raises(PropertyError) as error:
        load(file)
    assert told in str(error.value)


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    file.write_text("name: x\ncheck_out: {until: noon}\n")
    with pytest.raises(PropertyError) as error:
        load(file)
    assert str(error.value).count("\n- ") == 4


def test_no_message_shows_the_password(file: Path) -> None:
    file.write_text(f"{SMALLEST}wifi: {{network: N, password: {'geheim' * 20}}}\n")
    with pytest.raises(PropertyError) as error:
        load(file)
    assert "geheim" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "write lines like  name:"),
        (b"- a\n- b\n", "write lines like  name:"),
        ("name: Caffè".encode("latin-1"), "save the file as UTF-8 text"),
        (b"a: &a [*a]", "must not hold itself"),
    ],
)
def test_a_file_of_another_kind_is_told(file: Path, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(PropertyError) as error:
        load(file)
    assert told in str(error.value)


def test_a_missing_file_is_told(file: Path) -> None:
    with pytest.raises(PropertyError, match="can't be opened: No such file"):
        load(file)


def test_every_field_is_documented() -> None:
    text = DOCUMENTATION.read_text("utf-8")
    of_extras = (EarlyCheckIn, LateCheckOut, ExtraGuest, Transfer)
    for section in (Property, CheckIn, CheckOut, Wifi, Breakfast, Extras, *of_extras):
        for name, field in section.model_fields.items():
            assert f"`{field.alias or name}`" in text

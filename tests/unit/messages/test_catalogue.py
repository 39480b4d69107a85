"""The templates: the bundled ones complete, a host's own ones checked."""

from collections.abc import Callable
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.messages import catalogue
from app.messages.catalogue import LANGUAGES, Catalogue, CatalogueError

BUNDLED = catalogue.load(None, "Pensione Aurora", "spoki")
NAMES = {
    *("welcome", "arrival_instructions", "departure_instructions", "flight_delay", "flight_time"),
    *("pickup_changed", "upsell_offer", "weather_warning", "payment_reminder", "review_request"),
    *("handed_to_person", "desk_alert"),
}
OWN = """\
purpose: service
variables: [warning]
text:
  it: "Attenzione: {warning}. {property}."
  en: "Beware: {warning}. {property}."
  de: "Achtung: {warning}. {property}."
  fr: "Attention : {warning}. {property}."
  es: "Atención: {warning}. {property}."
approved:
  spoki: {it: 1234, en: 1235}
  whatsapp_cloud: {name: weather_1, languages: [de]}
"""
Writer = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Writer:
    """Writes a host's own file; ``old`` in it is replaced by ``new``."""

    def write(old: str = "", new: str = "", name: str = "weather_warning.yml") -> Path:
        assert old in OWN
        (tmp_path / name).write_text(OWN.replace(old, new) if old else OWN)
        return tmp_path

    return write


def load(folder: Path, provider: str = "spoki") -> Catalogue:
    return catalogue.load(folder, "Pensione Aurora", provider)


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        load(folder)
    head, *lines = str(caught.value).splitlines()
    assert head == "The message templates can't be used yet:"
    return [line.removeprefix("- ").replace(f"{folder}/", "") for line in lines]


def variables_of(name: str) -> dict[str, str]:
    parameters = BUNDLED.reference(name, "it").parameters
    return {parameter: "x" for parameter in parameters if parameter != "property"}


def test_all_are_there() -> None:
    assert set(BUNDLED.names) == NAMES


def test_only_offers_and_requests_for_reviews_need_consent() -> None:
    marketing = {name for name in NAMES if BUNDLED.is_marketing(name)}
    assert marketing == {"upsell_offer", "review_request"}


def test_none_is_approved_before_its_host_says_so() -> None:
    for provider in ("spoki", "whatsapp_cloud"):
        found = catalogue.load(None, "A", provider)
        assert {found.approved(name) for name in NAMES} == {frozenset()}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_said_in_each_language(name: str, language: str) -> None:
    said = BUNDLED.render(name, language, variables_of(name))
    assert "Pensione Aurora" in said.text
    assert "{" not in said.text
    assert "  " not in said.text
    assert "\n" not in said.text
    assert said.variables == {**variables_of(name), "property": "Pensione Aurora"}


@given(st.text(min_size=1).filter(str.strip))
def test_whatsapp_never_gets_what_it_refuses_in_a_variable(value: str) -> None:
    said = BUNDLED.render("weather_warning", "it", {"warning": value}).variables["warning"]
    assert said == said.strip() != ""
    assert not any(sign in said for sign in "\n\r\t")
    assert "    " not in said


def test_braces_in_a_value_are_only_signs() -> None:
    said = BUNDLED.render("weather_warning", "en", {"warning": "{property} {0}"})
    assert "{property} {0}" in said.text


@pytest.mark.parametrize(
    ("name", "language", "variables", "why"),
    [
        ("weather_warning", "it", {}, "warning"),
        ("weather_warning", "it", {"warning": "x", "more": "y"}, "more"),
        ("weather_warning", "it", {"warning": " \n"}, "nothing in warning"),
        ("weather_warning", "nl", {"warning": "x"}, "'nl'"),
        ("no_such", "it", {}, "no_such"),
    ],
)
def test_what_can_not_be_rendered_is_named(
    name: str, language: str, variables: dict[str, str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        BUNDLED.render(name, language, variables)


def test_a_hosts_own_file_replaces_the_bundled_one(folder: Writer) -> None:
    found = load(folder())
    said = found.render("weather_warning", "de", {"warning": "Sturm"})
    assert said.text == "Achtung: Sturm. Pensione Aurora."
    assert set(found.names) == NAMES


def test_what_is_approved_is_what_the_provider_knows(folder: Writer) -> None:
    path = folder()
    spoki, cloud = load(path), load(path, "whatsapp_cloud")
    assert spoki.approved("weather_warning") == {"it", "en"}
    assert spoki.reference("weather_warning", "en").spoki_id == 1235
    assert spoki.reference("weather_warning", "fr").spoki_id is None
    assert cloud.approved("weather_warning") == {"de"}
    assert cloud.reference("weather_warning", "de").cloud_name == "weather_1"


def test_parameters_are_in_the_order_of_the_text(folder: Writer) -> None:
    found = load(folder("Beware: {warning}. {property}.", "By {property}: {warning}. {property}!"))
    assert found.reference("weather_warning", "en").parameters == ("property", "warning")
    assert found.reference("weather_warning", "it").parameters == ("warning", "property")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("purpose: service", "purpose: marketing", "line 1, purpose: it is service"),
        ("purpose: service", "purpose: fun", "line 1, purpose: Input should be 'service'"),
        ("purpose: service\n", "", "purpose: add this field"),
        ("[warning]", "[storm]", "line 2, variables: Portiere fills in exactly these: [warning]"),
        ("[warning]", "[warning, more]", "line 2, variables: Portiere fills in exactly these"),
        ("[warning]", "warning", "line 2, variables: write a list"),
        ("  es:", "  nl:", "line 8, text.nl: write one of it, en, de, fr, es"),
        ('  es: "Atención: {warning}. {property}."\n', "", "line 3, text: add the text in es"),
        ("Beware: {warning}", "Beware", "line 5, text.en: it never says {warning}"),
        ("Beware: {warning}", "{warning}", "line 5, text.en: put a word before"),
        ('{warning}. {property}."\n  de', '{warning}"\n  de', "line 5, text.en: put a word"),
        ("Beware: {warning}", "Beware: {wind}", "line 5, text.en: the variables here are"),
        ("Beware: {warning}", "Beware: {}", "line 5, text.en: the variables here are"),
        ("Beware: {warning}", "Beware: {warning!r}", "line 5, text.en: the variables here are"),
        ("Beware: {warning}", "Beware: {warning:>9}", "line 5, text.en: the variables here are"),
        ("Beware: {warning}", "Beware: {warning.real}", "line 5, text.en: the variables here"),
        ("Beware: {warning}", "Beware: {warning", "line 5, text.en: "),
        ("Beware", "B" * 1025, "line 5, text.en: String should have at most 1024"),
        ("it: 1234", "it: none", "line 10, approved.spoki.it: Input should be a valid integer"),
        ("it: 1234", "nl: 1234", "line 10, approved.spoki.nl: write one of"),
        ("weather_1", "Weather 1", "line 11, approved.whatsapp_cloud.name: String should match"),
        ("[de]", "[de, en_GB]", "line 11, approved.whatsapp_cloud.languages.1: write one of"),
        ("approved:", "aproved:", "line 9, aproved: there is no such field"),
        ("purpose: service", "purpose: [", ": this isn't YAML"),
        ("purpose: service", "purpose: service\npurpose: service", "purpose is there twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Writer, old: str, new: str, told: str) -> None:
    (line,) = mistakes(folder(old, new))
    assert line.startswith("weather_warning.yml")
    assert told in line


def test_all_mistakes_of_all_files_are_named(folder: Writer) -> None:
    path = folder("Beware: {warning}", "Beware")
    (path / "welcome.yml").write_text("purpose: fun\n")
    in_warning, purpose, text = mistakes(path)
    assert in_warning.startswith("weather_warning.yml, line 5")
    assert purpose.startswith("welcome.yml, line 1, purpose: ")
    assert text == "welcome.yml, text: add this field"


def test_a_file_of_another_name_is_named(folder: Writer) -> None:
    (line,) = mistakes(folder(name="wether.yml"))
    assert line.startswith("wether.yml: no template is called so; there are ")
    assert "weather_warning.yml" in line


def test_what_a_mac_leaves_beside_a_file_is_no_template(folder: Writer) -> None:
    (folder() / "._weather_warning.yml").write_bytes(b"\x00\x05\x16\x07")
    assert set(load(folder()).names) == NAMES


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="is no folder"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "purpose: !!python/object/apply:os.abort []\n",
        "purpose: &a [*a]\n",
        "- purpose\n",
        "",
    ],
)
def test_no_yaml_does_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / "welcome.yml").write_text(text)
    assert mistakes(tmp_path)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "welcome.yml").write_bytes("purpose: città".encode("latin-1"))
    (line,) = mistakes(tmp_path)
    assert "save the file as UTF-8" in line


def test_the_texts_only_name_what_their_file_declares() -> None:
    """The check of a host's file is right about the bundled ones, seen another way."""
    for name in NAMES:
        declared = {*variables_of(name), "property"}
        for language in LANGUAGES:
            text = BUNDLED.render(name, language, {one: f"{{{one}}}" for one in variables_of(name)})
            assert {field for _, field, _, _ in Formatter().parse(text.text) if field} <= declared

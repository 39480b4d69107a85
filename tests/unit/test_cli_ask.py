"""``portiere ask``: a text for a person to read, lines for a program."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.cli_ask import FACTS_VARIABLE
from app.settings import SettingsError
from tests.support.model import KEY, NAME, ModelDouble, model_double

EXAMPLE = Path(__file__).parents[2] / "app/conversation/property.example.yml"


def ask(*arguments: str, lines: str = "", facts: Path | None = EXAMPLE) -> Result:
    variables = {FACTS_VARIABLE: str(facts) if facts else None}
    return CliRunner().invoke(cli, ["ask", *arguments], input=lines, env=variables)


def answers(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_text_is_answered_for_a_person_to_read() -> None:
    done = ask("What is the wifi password?")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["language", "en"]
    assert lines[1].split()[:2] == ["intent", "wifi"]
    assert lines[2].split() == ["agent", "concierge"]
    assert lines[3].startswith("reply ")
    assert done.stderr == ""


def test_without_a_property_it_says_that_it_invents_one() -> None:
    done = ask("What is the wifi password?", facts=None)
    assert done.exit_code == 0
    assert FACTS_VARIABLE in done.stderr
    assert FACTS_VARIABLE not in done.stdout


def test_each_line_is_answered_by_a_line_of_json() -> None:
    wifi, breakfast = answers(ask("--json", "-", lines="What is the wifi password?\nColazione?\n"))
    assert wifi.keys() == {"text", "language", "intent", "score", "agent", "reply"}
    assert wifi["text"] == "What is the wifi password?"
    assert (wifi["intent"], breakfast["intent"]) == ("wifi", "breakfast")
    assert breakfast["language"] == "it"


def test_lines_may_come_from_a_file(tmp_path: Path) -> None:
    source = tmp_path / "messages.txt"
    source.write_text("Où est le parking ?\r\n", "utf-8")
    (only,) = answers(ask("--json", str(source)))
    assert (only["text"], only["language"]) == ("Où est le parking ?", "fr")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"text": "Wo ist der Parkplatz?", "from": "+390000000001"}', "Wo ist der Parkplatz?"),
        ('{"text": "two\\nlines"}', "two\nlines"),
        ('{"message": "hi"}', '{"message": "hi"}'),
        ('{"text": ', '{"text": '),
        ("42", "42"),
        ('"hi"', '"hi"'),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_a_line_is_the_text_of_an_object_or_what_it_is(line: str, text: str) -> None:
    (only,) = answers(ask("--json", "-", lines=f"{line}\n"))
    assert only["text"] == text


def test_an_empty_line_is_a_message_too() -> None:
    found = answers(ask("--json", "-", lines="\nColazione?\n\n"))
    assert [one["intent"] for one in found] == ["other", "breakfast", "other"]


def test_no_lines_no_answers() -> None:
    assert answers(ask("--json", "-")) == []


def test_a_wrong_property_file_is_named_in_a_line(tmp_path: Path) -> None:
    wrong = tmp_path / "property.yml"
    wrong.write_text("name: Locanda\n", "utf-8")
    done = ask("Wi-Fi?", facts=wrong)
    assert done.exit_code == 1
    assert done.stderr.startswith("portiere: ")
    assert str(wrong) in done.stderr
    assert done.stdout == ""


def test_a_property_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = ask("Wi-Fi?", facts=tmp_path / "gone.yml")
    assert done.exit_code == 1
    assert "gone.yml" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["Wi-Fi?", "--json", "-"]])
def test_a_text_or_lines_and_not_both(arguments: list[str]) -> None:
    done = ask(*arguments)
    assert done.exit_code == 2
    assert "--json" in done.stderr


def ask_with_model(double: ModelDouble, *arguments: str, **given: str) -> Result:
    """The same with a language model set up."""
    variables = {
        FACTS_VARIABLE: str(EXAMPLE),
        "PORTIERE_LLM_BASE_URL": double.url,
        "PORTIERE_LLM_MODEL": NAME,
        "PORTIERE_LLM_API_KEY": KEY,
        **given,
    }
    return CliRunner().invoke(cli, ["ask", *arguments], env=variables, input="Wi-Fi?\n")


def test_it_is_shown_when_a_model_was_asked_and_what_came_of_it() -> None:
    with model_double(intent=lambda _text: "pets", wording=lambda _ours: "At 9:00.") as double:
        odd = ask_with_model(double, "🦩🪁")
        assert "intent    pets" in odd.stdout
        assert "model     intent used, wording language" in odd.stdout
        assert "At 9:00." not in odd.stdout
        wifi = ask_with_model(double, "What is the wifi password?")
        assert "model     not asked" in wifi.stdout
        (line,) = answers(ask_with_model(double, "--json", "-"))
        assert line["model"] == {}


def test_a_model_without_a_name_is_said() -> None:
    with model_double() as double:
        done = ask_with_model(double, "Wi-Fi?", PORTIERE_LLM_MODEL="")
    assert isinstance(done.exception, SettingsError)
    assert "PORTIERE_LLM_MODEL" in str(done.exception)

"""The real Apertium with the pair Italian and Spanish, and programs in its place that misbehave."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from cloud_jobs.agents import apertium
from cloud_jobs.agents.apertium import NoTranslationError
from cloud_jobs.jobs.translate_and_send import translate_and_send
from tests.support import known_rows as rows
from tests.support.offering_desk import keep
from tests.support.processes import eventually
from tests.unit.cloud_jobs.conftest import MakeLayer


def send(layer: MakeLayer, language: str, text: str) -> str:
    """What the desk is given to send to a guest of ``language``."""
    cloud = layer(translate_and_send)
    keep(cloud, rows.guest(1, language=language))
    cloud.tell("translation.wanted", {"text": text}, guest=rows.index(1))
    cloud.run_all()
    ((_, payload),) = cloud.commands()
    return str(payload["text"])


def test_a_text_is_translated_with_its_figures_code_and_address(layer: MakeLayer) -> None:
    text = (
        "Domani la piscina è aperta dalle 9:00 alle 18:30. "
        "Il codice è A12B, si veda https://example.invalid/x."
    )
    spanish = send(layer, "es", text)
    assert "piscina está abierta" in spanish
    for kept in ("9:00", "18:30", "A12B", "https://example.invalid/x."):
        assert kept in spanish


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Domani la frobazzola è chiusa dalle 9 alle 10."),  # no word of the dictionary
        ("es", "Domani la *piscina* è aperta dalle 9 alle 10."),  # a sign that it marks words with
        ("de", "Domani la piscina è aperta dalle 9 alle 10."),  # no such pair in Debian
    ],
)
def test_what_it_can_not_translate_whole_stays_as_it_is(
    layer: MakeLayer, language: str, text: str
) -> None:
    assert send(layer, language, text) == text


def program(directory: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Something that calls itself apertium and lists the pair."""
    path = directory / "apertium"
    path.write_text(f'#!/bin/sh\n[ "$1" = -l ] && {{ echo ita-spa; exit; }}\n{body}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_one_that_hangs_is_ended_with_all_its_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    program(tmp_path, monkeypatch, f"sh -c 'echo $$ >{pid_file}; sleep 600' | cat")
    monkeypatch.setattr(apertium, "PATIENCE", timedelta(seconds=1))
    with pytest.raises(NoTranslationError, match="too long"):
        apertium.translate("Ciao", "it", "es")
    pid = int(pid_file.read_text())
    eventually(lambda: not _is_alive(pid), "the pipeline is over")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("body", "reason"), [("exit 3", "ended with 3"), ("echo '*parola'", "unknown to Apertium")]
)
def test_one_that_fails_gives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    program(tmp_path, monkeypatch, body)
    with pytest.raises(NoTranslationError, match=reason):
        apertium.translate("Ciao", "it", "es")


def test_where_it_is_not_installed_there_is_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert apertium.pair_for("it", "es") is None

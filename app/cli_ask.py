"""``portiere ask``: what Portiere would answer, without a guest."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from app.conversation import brain, replying
from app.conversation import property as facts
from app.conversation.assisting import Assisted, assist, helps_with
from app.conversation.model import Model, make_model
from app.conversation.property import Property, PropertyError
from app.conversation.turn import Turn
from app.settings import ENV_FILE_VARIABLE, SettingsError, explain
from app.settings_llm import ModelSettings

FACTS_VARIABLE = "PORTIERE_PROPERTY_FILE"


@dataclass(frozen=True)
class Answered:
    """What came of one message; ``model``: what a language model was asked for, and whether its
    answer was used or why not. None if none is set up."""

    text: str
    language: str
    intent: str
    score: float
    agent: str
    reply: str
    model: dict[str, str] | None = None


def ask(
    text: Annotated[str | None, typer.Argument(help="What a guest writes.")] = None,
    lines: Annotated[
        typer.FileText | None,
        typer.Option("--json", help="A file with a message a line, or - ; answers as JSON lines."),
    ] = None,
) -> None:
    """Show language, intent, agent and reply for a message."""
    if (text is None) == (lines is None):
        raise typer.BadParameter('give a text, or --json FILE: portiere ask "Wi-Fi?"')
    found, model = _facts(), _model()
    brain.warm_up()
    replying.warm_up()
    if text is not None:
        _show(answer(text, found, model))
    else:
        for line in _messages(lines or ()):
            typer.echo(json.dumps(_fields(answer(line, found, model)), ensure_ascii=False))


def answer(text: str, found: Property, model: Model | None = None) -> Answered:
    """What a guest of whom nothing is known would be answered."""
    turn = Turn(text=text, now=datetime.now(found.time_zone))
    offline = replying.reply(turn, brain.understand(text).guesses, found)
    assisted = Assisted(offline)
    if model is not None and helps_with(turn, offline, found):
        assisted = assist(model, turn, offline, found)
    reply = assisted.reply
    return Answered(
        text=text,
        language=reply.language,
        intent=reply.intents[0],
        score=round(reply.score, 3),
        agent=reply.agent,
        reply=reply.text,
        model=(
            {str(call.purpose): str(call.outcome) for call in assisted.calls}
            if model is not None
            else None
        ),
    )


def _fields(found: Answered) -> dict[str, object]:
    return {name: value for name, value in vars(found).items() if value is not None}


def _messages(lines: typer.FileText | tuple[()]) -> Iterator[str]:
    """A message a line: as it is, or as the ``text`` of a JSON object."""
    for line in lines:
        message = line.rstrip("\r\n")
        try:
            read = json.loads(message)
        except ValueError:
            read = None
        yield str(read["text"]) if isinstance(read, dict) and "text" in read else message


def _show(found: Answered) -> None:
    typer.echo(f"language  {found.language}")
    typer.echo(f"intent    {found.intent} ({found.score:.2f})")
    typer.echo(f"agent     {found.agent}")
    if found.model is not None:
        asked = (f"{purpose} {outcome}" for purpose, outcome in found.model.items())
        typer.echo(f"model     {', '.join(asked) or 'not asked'}")
    typer.echo(f"reply     {found.reply}")


def _facts() -> Property:
    chosen = os.environ.get(FACTS_VARIABLE)
    if chosen is None:
        typer.echo(f"(with an invented property: {FACTS_VARIABLE} is not set)", err=True)
    example = resources.files("app.conversation").joinpath("property.example.yml")
    try:
        return facts.load(Path(chosen or str(example)))
    except PropertyError as error:
        typer.echo(f"portiere: {error}", err=True)
        raise typer.Exit(1) from None


def _model() -> Model | None:
    """The language model, if one is set up; the other settings aren't needed here."""
    try:
        return make_model(ModelSettings(_env_file=os.environ.get(ENV_FILE_VARIABLE)))
    except ValidationError as error:
        raise SettingsError(explain(error)) from None

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

from app.conversation import brain, replying
from app.conversation import property as facts
from app.conversation.property import Property, PropertyError
from app.conversation.turn import Turn

FACTS_VARIABLE = "PORTIERE_PROPERTY_FILE"


@dataclass(frozen=True)
class Answered:
    """What came of one message."""

    text: str
    language: str
    intent: str
    score: float
    agent: str
    reply: str


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
    found = _facts()
    brain.warm_up()
    replying.warm_up()
    if text is not None:
        _show(answer(text, found))
    else:
        for line in _messages(lines or ()):
            typer.echo(json.dumps(vars(answer(line, found)), ensure_ascii=False))


def answer(text: str, found: Property) -> Answered:
    """What a guest of whom nothing is known would be answered."""
    turn = Turn(text=text, now=datetime.now(found.time_zone))
    guesses = brain.understand(text).guesses
    reply = replying.reply(turn, guesses, found)
    return Answered(
        text=text,
        language=reply.language,
        intent=reply.intents[0],
        score=round(reply.score, 3),
        agent=reply.agent,
        reply=reply.text,
    )


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

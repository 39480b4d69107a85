"""Running programs, and saying plainly what failed and what to do about it."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer


class RehearsalError(Exception):
    """Something that the person at the keyboard can act on; the text says how."""


def run(
    *command: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> str:
    """Run ``command`` and return its standard output.

    Raises:
        RehearsalError: It is missing, failed or took longer than ``timeout`` seconds; the text
            ends with the last lines it printed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            env=env,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise RehearsalError(
            f"{words[0]} is missing; `tests/rehearsal/ctl prepare` installs it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RehearsalError(f"{' '.join(words)}: no end after {timeout:.0f} s") from error
    if done.returncode:
        said = "\n".join((done.stderr + done.stdout).strip().splitlines()[-15:])
        raise RehearsalError(f"{' '.join(words)}: exit {done.returncode}\n{said}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Whether ``command`` exits with 0; what it prints is dropped."""
    words: Sequence[str] = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print ``what`` while it is under way, and its seconds when it is done."""
    typer.echo(f"  {what} … ", nl=False)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        typer.echo("failed")
        raise
    typer.echo(f"{time.monotonic() - began:.1f} s")

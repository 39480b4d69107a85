"""``portiere ha …``: who leads, and handing the lead on."""

import getpass
import json
from datetime import timedelta
from typing import Annotated, Final, NoReturn

import typer

from app import settings as configuration
from app.ha import asked, backups, paused, screen, troubles
from app.ha import view as views
from app.ha.asked import AskedError, Outcome, Request, Verb
from app.ha.following_steps import SilentError, follow
from app.ha.journal import Journal, journal_file
from app.ha.troubles import Trouble
from app.ha.view import View
from app.ha.words import spell
from app.leading import Role
from app.settings import Settings

ha = typer.Typer(no_args_is_help=True, help="The two machines: who leads, and handing it on.")
By = Annotated[str, typer.Option("--as", help="Your name, for the others.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask before forcing.")]

WELL: Final = 0
WRONG: Final = 1
CANT_TELL: Final = 2
NOTHING_TO_DO: Final = 3
EXIT: Final = {
    Outcome.DONE: WELL,
    Outcome.NOTHING_TO_DO: NOTHING_TO_DO,
    Outcome.FAILED: WRONG,
}
ALONE: Final = "This node leads, always and alone: PORTIERE_HA_AUTHORITY is not set."
# Enough of the journal for the last changes, however many small steps were between them.
RUNS: Final = 200


@ha.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
) -> None:
    """Show who leads, how far the other is behind, and what would be lost if the leader died now.

    Exit 0: all is well. 1: something is wrong. 2: it can't be told, the node doesn't run.
    """
    found = configuration.load()
    if not found.ha_authority:
        _show_alone(found, as_json=as_json)
        return
    view, unseen = _view(found)
    wrong = _troubles(found, view)
    if as_json:
        _show_json(found, view, [unseen] if unseen else wrong, is_current=unseen is None)
    else:
        _show(found, view, [unseen] if unseen else wrong)
    if unseen:
        raise typer.Exit(CANT_TELL)
    if wrong:
        raise typer.Exit(WRONG)


@ha.command()
def failover(
    force: Annotated[
        bool, typer.Option("--force", help="Also while the other may still lead: it is off.")
    ] = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Have this node take over from one that is gone. Exit 3: it leads already."""
    found, view = _ready()
    if view.leads:
        _nothing(f"{view.node} leads already, in term {view.standing.term}.")
    if not force and view.peer_is_up and view.leader == view.peer:
        _refuse(
            f"{view.peer} leads and was heard of just now.",
            "portiere ha switchover hands over in order, and loses no time.",
        )
    typer.echo(_what_failover_does(view))
    if force and not yes:
        typer.confirm(_QUESTION.format(other=view.peer, node=view.node), abort=True)
    _do(found, Request(verb=Verb.FAILOVER, to=view.node, force=force, by=_who(by)))


@ha.command()
def switchover(
    to: Annotated[str, typer.Option(help="The node that shall lead; the other one.")] = "",
    minutes: Annotated[
        int, typer.Option("--for", min=0, help="The preferred one doesn't take it back meanwhile.")
    ] = 0,
    by: By = "",
) -> None:
    """Hand the lead on in order: nothing is lost, guests wait some seconds. Exit 3: it has it."""
    found, view = _ready()
    if to and to not in {view.node, view.peer}:
        _refuse(f"There is no node {to}.", f"The nodes are {view.node} and {view.peer}.")
    wanted = to or view.standby
    if wanted == view.leader:
        _nothing(f"{wanted} leads already, in term {view.standing.term}.")
    if view.leader is None:
        _refuse("Nobody leads, so nobody can hand over.", "portiere ha failover takes over.")
    if minutes and wanted == view.node:
        _refuse(
            f"--for is {view.leader}'s to know: it hands over.", "Ask for the switchover there."
        )
    if not view.standby_is_ready:
        _refuse(
            f"{wanted} isn't ready to lead.", f"portiere ha status on {wanted} says what it lacks."
        )
    typer.echo(
        f"{view.leader} finishes what it has in hand and hands over; {wanted} leads then. Guests "
        "are answered after a pause of some seconds. If a step fails, "
        f"{view.leader} leads on."
    )
    stays = timedelta(minutes=minutes)
    _do(found, Request(verb=Verb.SWITCHOVER, to=wanted, stays=stays, by=_who(by)))


@ha.command()
def rejoin(by: By = "") -> None:
    """Have this node, which doesn't lead, copy the leader's database anew. Exit 3: it leads.

    It rejoins by itself; this is for a copy that stands still.
    """
    found, view = _ready()
    if view.standing.role is not Role.STANDBY:
        _nothing(f"{view.node} leads, in term {view.standing.term}: it has nothing to rejoin.")
    typer.echo(
        f"{view.node} copies the database of {view.leader or 'the next leader'} anew. Guests "
        f"notice nothing; until that is done, nobody can step in for {view.peer}."
    )
    _do(found, Request(verb=Verb.REJOIN, by=_who(by)))


@ha.command()
def pause(
    reason: Annotated[str, typer.Option(help="Why, for the others.")],
    by: By = "",
) -> None:
    """Have no change of leader by itself, until it is resumed; through restarts too.

    If the leader dies meanwhile nobody is answered until a person says failover. Exit 3: it was
    paused already.
    """
    found = _of_two()
    if not paused.pause(found.ha_directory, _who(by), reason):
        _nothing("It is paused already: portiere ha status says by whom and why.")
    typer.echo(
        "Paused: the lead changes only when a person asks for it. While this node runs the other "
        "knows that, too. Go on with: portiere ha resume"
    )


@ha.command()
def resume() -> None:
    """End the pause of this node. Exit 3: it was not paused."""
    found = _of_two()
    if not paused.resume(found.ha_directory):
        _nothing("It is not paused here.")
    typer.echo("The lead may change by itself again.")
    view = views.read(found.ha_directory)
    if view is not None and view.peer_report is not None and view.peer_report.paused:
        typer.echo(f"{view.peer} is paused still: portiere ha resume, there.")


def _do(found: Settings, request: Request) -> NoReturn:
    """Ask the node, show its steps as they come, and exit as it ended."""
    directory, journal = found.ha_directory, Journal(journal_file(found))
    before = journal.entries()
    try:
        asked.ask(directory, request)
        answer = follow(directory, journal, request, before, typer.echo)
    except (AskedError, SilentError) as error:
        typer.echo(f"portiere: {error}", err=True)
        raise typer.Exit(WRONG) from None
    typer.echo(answer.message, err=answer.outcome is Outcome.FAILED)
    raise typer.Exit(EXIT[answer.outcome])


def _of_two() -> Settings:
    found = configuration.load()
    if not found.ha_authority:
        _refuse(ALONE, "docs/failover.md says how a second machine is set up.")
    return found


def _ready() -> tuple[Settings, View]:
    """The settings and a view that can be trusted."""
    found = _of_two()
    view, unseen = _view(found)
    if view is None or unseen is not None:
        trouble = unseen or troubles.NOTHING_SEEN
        _refuse(trouble.what, trouble.remedy)
    return found, view


def _view(found: Settings) -> tuple[View | None, Trouble | None]:
    """The node's view, and why it can't be trusted."""
    view = views.read(found.ha_directory)
    entries = Journal(journal_file(found)).entries()
    return view, troubles.unseen(view, entries[-1] if entries else None)


def _refuse(what: str, remedy: str) -> NoReturn:
    typer.echo(f"portiere: {what}\n  {remedy}", err=True)
    raise typer.Exit(WRONG)


def _nothing(why: str) -> NoReturn:
    typer.echo(f"Nothing to do: {why}")
    raise typer.Exit(NOTHING_TO_DO)


def _who(by: str) -> str:
    return f"cli:{by or getpass.getuser()}"


def _troubles(found: Settings, view: View | None) -> list[Trouble]:
    if view is None:
        return []
    runs = Journal(journal_file(found)).runs(1)
    there = view.peer_report is not None and view.peer_report.paused
    wrong = troubles.troubles(
        view,
        found.ha_most_lag,
        runs[0] if runs else None,
        is_paused=there or paused.paused(found.ha_directory) is not None,
    )
    return [*wrong, *backups.troubles_of(found, view)]


def _show(found: Settings, view: View | None, wrong: list[Trouble]) -> None:
    """All of it to standard output: it is one screen, and what is wrong is part of it."""
    if view is None:
        typer.echo("\n".join(f"{one.what}\n  {one.remedy}" for one in wrong), err=True)
        return
    runs = Journal(journal_file(found)).runs(RUNS)
    pause = paused.paused(found.ha_directory)
    for line in screen.lines(view, pause, runs, wrong, backups.line(found, view)):
        typer.echo(line)


def _show_alone(found: Settings, *, as_json: bool) -> None:
    """What is wrong with a machine that has no other: its backups, its disk."""
    wrong = backups.faults_here(found)
    if as_json:
        told = {"wrong": [{"what": one.what, "remedy": one.remedy} for one in wrong]}
        typer.echo(json.dumps({"alone": True, **(told if wrong else {})}))
    else:
        typer.echo(ALONE)
        for one in wrong:
            typer.echo(f"\nWRONG: {one.what}\n   do: {one.remedy}")
    if wrong:
        raise typer.Exit(WRONG)


def _show_json(
    found: Settings, view: View | None, wrong: list[Trouble], *, is_current: bool
) -> None:
    pause = paused.paused(found.ha_directory)
    runs = Journal(journal_file(found)).runs(screen.SHOWN)
    shown = {
        "alone": False,
        "node": found.node_name,
        "role": view.standing.role if view else None,
        "leader": view.leader if view else None,
        "term": view.standing.term if view else None,
        "is_current": is_current,
        "view": view.model_dump(mode="json") if view else None,
        "paused": pause.model_dump(mode="json") if pause else None,
        "is_paused_there": view is not None and view.is_paused_there,
        "wrong": [{"what": one.what, "remedy": one.remedy} for one in wrong],
        "runs": [run.model_dump(mode="json") for run in runs],
    }
    typer.echo(json.dumps(shown))


def _what_failover_does(view: View) -> str:
    lag = "what was replicated"
    if view.lag is not None:
        lag = f"a copy that is {spell(timedelta(seconds=view.lag))} behind"
    return (
        f"{view.node} takes over from {view.peer}: it restores {lag}, takes in {view.spooled} "
        f"events of its own spool, and answers guests. What {view.peer} may have sent in its last "
        "moments waits for its echo first."
    )


_QUESTION: Final = (
    "Is {other} off for certain (no power, or its worker stopped)? If it runs and only can't be "
    "seen from here, guests may get answers twice. Have {node} lead?"
)

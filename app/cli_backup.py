"""``portiere backup …``: making backups, listing them, seeing that they can be restored."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from app import logs
from app import settings as configuration
from app.backup import restic
from app.backup.due import leads, ours
from app.backup.faults import Fault, faults
from app.backup.kinds import PLANS, Kind
from app.backup.locking import locked
from app.backup.noting import begin
from app.backup.restic import BackupError, Repository, Snapshot
from app.backup.state import Drill, State, read_state
from app.cli_ha import CANT_TELL, NOTHING_TO_DO, WRONG
from app.ha.words import spell
from app.settings import Settings

if TYPE_CHECKING:
    from app.backup.running import Attempt

backup = typer.Typer(
    no_args_is_help=True, help="Backups: made, listed, and tried. Back again: portiere restore."
)
AsJson = Annotated[bool, typer.Option("--json", help="The same for programs.")]
NONE: Final = "Nothing is backed up: PORTIERE_BACKUP_REPOSITORIES is not set (docs/backup.md)."
# Enough to choose from; of the queue there are hundreds.
SHOWN: Final = 10


@backup.command()
def run() -> None:
    """Back up what is due by now, and do what is due once a night; launchd and systemd start it.

    Exit 0: all of it is done, or nothing was due. 1: something failed; the rest is done.
    """
    from app.backup import running  # noqa: PLC0415 - other commands load nothing of it
    from app.ha.newest_replicated import restore_newest  # noqa: PLC0415 - the same

    found = _settings()
    logs.configure("backup", found.log_level, found.log_dir)
    with _alone(found):
        done = running.back_up_due(found)
        _show_attempts(done)
        looked = running.see_to_nights(found, lambda to: restore_newest(found, to))
    for one in looked:
        typer.echo(_drill_line(one.name, one.drill))
    if not done and not looked:
        typer.echo("Nothing is due.")
    if any(one.failed for one in done) or any(one.drill.failed for one in looked):
        raise typer.Exit(WRONG)


@backup.command()
def now(
    kinds: Annotated[
        list[Kind] | None, typer.Argument(help="What; all that is this machine's if none is named.")
    ] = None,
) -> None:
    """Back up now, due or not. Exit 1: something failed. 3: none of it is this machine's."""
    from app.backup import running  # noqa: PLC0415 - other commands load nothing of it

    found = _settings()
    mine = ours(found)
    wanted = [kind for kind in kinds or mine if kind in mine]
    for kind in kinds or ():
        if kind not in mine:
            typer.echo(_not_ours(found, kind), err=True)
    if not wanted:
        raise typer.Exit(NOTHING_TO_DO)
    with _alone(found):
        begin(found)
        done = running.back_up(found, dict.fromkeys(wanted, found.repositories))
    _show_attempts(done)
    if any(one.failed for one in done):
        raise typer.Exit(WRONG)


@backup.command(name="list")
def list_them(
    kind: Annotated[Kind | None, typer.Argument(help="Only of this kind.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"All, not the newest {SHOWN} of each kind.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the snapshots that can be restored, the newest last. Exit 2: a repository is silent."""
    found = _settings()
    silent = False
    for repository in restic.repositories(found):
        try:
            there = restic.snapshots(repository, kind=kind)
        except BackupError as error:
            silent = True
            typer.echo(f"portiere: {error}", err=True)
            continue
        if as_json:
            for one in there:
                typer.echo(json.dumps(_as_data(repository, one)))
            continue
        _show_snapshots(repository, there, None if everything else SHOWN)
    if silent:
        raise typer.Exit(CANT_TELL)


@backup.command()
def check(as_json: AsJson = False) -> None:
    """Say how old the backups of this machine are, and whether each repository opens.

    Exit 0: all is well. 1: something is wrong. 2: a repository doesn't answer.
    """
    found = _settings()
    state, at = read_state(found.backup_directory), datetime.now(UTC)
    wrong = faults(found, state, at)
    silent = [one for one in map(_unopened, restic.repositories(found)) if one]
    if as_json:
        shown = {
            "node": found.node_name,
            "leads": leads(found),
            "state": state.model_dump(mode="json"),
            "wrong": [{"is": one.wrong, "what": one.what, "remedy": one.remedy} for one in wrong],
            "silent": silent,
        }
        typer.echo(json.dumps(shown))
    else:
        _show(found, state, wrong, silent, at)
    if wrong:
        raise typer.Exit(WRONG)
    if silent:
        raise typer.Exit(CANT_TELL)


@backup.command()
def drill() -> None:
    """Restore the newest of each kind beside the real one, now, to see that it can be.

    Takes minutes, and changes nothing that is real. Exit 0: all is good. 1: something is not.
    """
    from app.backup import drilling  # noqa: PLC0415 - other commands load nothing of it
    from app.ha.newest_replicated import restore_newest  # noqa: PLC0415 - the same

    found = _settings()
    with _alone(found):
        done = drilling.drill(found, lambda to: restore_newest(found, to))
    for name, one in done.items():
        typer.echo(_drill_line(name, one))
    if not done:
        typer.echo("portiere: there is nothing to try: portiere backup list", err=True)
    if not done or any(one.failed for one in done.values()):
        raise typer.Exit(WRONG)


def _settings() -> Settings:
    found = configuration.load()
    if not found.repositories:
        _nothing(NONE)
    return found


def _alone(found: Settings) -> AbstractContextManager[None]:
    return locked(
        found.backup_directory,
        lambda: typer.echo(
            "Another backup or drill runs on this machine; waiting for it.", err=True
        ),
    )


def _nothing(why: str) -> NoReturn:
    typer.echo(f"Nothing to do: {why}")
    raise typer.Exit(NOTHING_TO_DO)


def _not_ours(found: Settings, kind: Kind) -> str:
    if PLANS[kind].by_leader:
        return f"portiere: {found.node_name} doesn't lead: ask for {kind} on the machine that does"
    return f"portiere: {found.node_name} has no {kind} to back up, by its PORTIERE_ settings"


def _show_attempts(done: "Sequence[Attempt]") -> None:
    for one in done:
        if one.made is not None:
            at = _at(one.made.at)
            typer.echo(f"{one.kind:<14} {one.made.snapshot[:8]} of {at} -> {one.address}")
        else:
            typer.echo(f"portiere: {one.kind} FAILED: {one.failed}", err=True)


def _show_snapshots(repository: Repository, there: Sequence[Snapshot], most: int | None) -> None:
    typer.echo(f"{repository.address}: {len(there) or 'no'} snapshots")
    for kind in Kind:
        of_kind = [one for one in there if one.kind is kind]
        shown = of_kind if most is None else of_kind[-most:]
        if len(shown) < len(of_kind):
            typer.echo(f"  {kind}: {len(of_kind) - len(shown)} older ones, shown with --all")
        for one in shown:
            good = "  proved good" if restic.GOOD in one.tags else ""
            size = f"{one.size / 1e6:>8.1f} MB" if one.size is not None else " " * 11
            typer.echo(f"  {one.id[:8]}  {_at(one.at)}  {one.kind:<13} {one.host:<8}{size}{good}")


def _show(
    found: Settings, state: State, wrong: Sequence[Fault], silent: Sequence[str], at: datetime
) -> None:
    bad = len(wrong) + len(silent)
    well = "all is well" if not bad else f"{bad} WRONG, see the end"
    typer.echo(f"{found.node_name}, backups as of {_at(at)}: {well}\n")
    for kind in ours(found):
        for address in found.repositories:
            made = state.of(kind, address).made
            age = f"{spell(at - made.at)} old" if made else "NONE YET"
            every = f"every {spell(PLANS[kind].every)}"
            typer.echo(f"{kind:<14} {age:<12} {every:<13} {address}")
    for name, look in (*state.kept.items(), *state.drills.items()):
        typer.echo(_drill_line(name, look))
    for fault in wrong:
        typer.echo(f"\nWRONG: {fault.what}\n   do: {fault.remedy}")
    for why in silent:
        typer.echo(f"\nWRONG: {why}")


def _unopened(repository: Repository) -> str | None:
    """Why a repository can't be opened, with a remedy; None: it can."""
    try:
        if restic.exists(repository):
            return None
    except BackupError as error:
        return str(error)
    return f"{repository.address}: there is no repository yet: the first backup makes it"


def _drill_line(name: str, one: Drill) -> str:
    how = f"FAILED: {one.failed}" if one.failed else f"good: {one.found}"
    return f"{name:<14} tried {_at(one.at)}, {how}"


def _as_data(repository: Repository, one: Snapshot) -> dict[str, object]:
    return {
        "repository": repository.address,
        "id": one.id,
        "kind": one.kind,
        "at": one.at.isoformat(),
        "host": one.host,
        "size": one.size,
        "good": restic.GOOD in one.tags,
    }


def _at(moment: datetime) -> str:
    return f"{moment.astimezone():%d %b %H:%M}"

"""The rehearsal's hosts: make, break and look at them."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from tests.rehearsal import (
    faults,
    hosts,
    images,
    keys,
    machine,
    network,
    report,
    system,
    templates,
)
from tests.rehearsal.layout import CACHE, CONTROLLER_NETNS, HOSTS, Host
from tests.rehearsal.shell import RehearsalError

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
power = typer.Typer(help="Cut a host's power, or give it back.", no_args_is_help=True)
cut = typer.Typer(help="Break a piece of the network; `heal` mends it.", no_args_is_help=True)
app.add_typer(power, name="power")
app.add_typer(cut, name="cut")


def _host(name: str) -> Host:
    if name not in HOSTS:
        raise typer.BadParameter(f"there are: {', '.join(HOSTS)}")
    return HOSTS[name]


HostName = Annotated[Host, typer.Argument(parser=_host, metavar="HOST", help="mac, vps or world")]
HostNames = Annotated[
    list[Host] | None, typer.Argument(parser=_host, metavar="[HOST]…", help="all, if none is named")
]
Words = Annotated[list[str] | None, typer.Argument(metavar="[CMD]…")]


@contextmanager
def _alone() -> Iterator[None]:
    """One command at a time may change the hosts; a second one waits for the first."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _some(chosen: list[Host] | None) -> list[Host]:
    return chosen or list(HOSTS.values())


@app.command()
def prepare() -> None:
    """Install what this machine lacks and build the caches."""
    with _alone():
        machine.ensure()
        keys.ensure()
        system.ensure()
        images.ensure()


@app.command()
def up(chosen: HostNames = None) -> None:
    """Boot the hosts that are off; the first time, make them."""
    began = time.monotonic()
    with _alone():
        machine.ensure()
        keys.ensure()
        templates.write()
        network.up()
        hosts.up(_some(chosen))
    typer.echo(f"up after {time.monotonic() - began:.1f} s")


@app.command()
def down(
    wipe: Annotated[bool, typer.Option(help="Throw the disks away, too.")] = False,
) -> None:
    """Stop all hosts in order and remove the network; disks stay."""
    with _alone():
        for host in HOSTS.values():
            (hosts.wipe if wipe else hosts.stop)(host)
        network.down()
    typer.echo("down")


@app.command()
def reset(chosen: HostNames = None) -> None:
    """Throw hosts' disks away and boot new ones."""
    with _alone():
        for host in _some(chosen):
            hosts.wipe(host)
    up(chosen)


@power.command("off")
def power_off(host: HostName) -> None:
    """Cut the power: everything on the host is killed at once, its disk stays."""
    with _alone():
        hosts.power_off(host)
    typer.echo(f"{host.name} is off")


@power.command("on")
def power_on(host: HostName) -> None:
    """Boot the host if it is off."""
    up([host])


@app.command()
def reboot(host: HostName) -> None:
    """Shut the host down in order and boot it."""
    with _alone():
        hosts.stop(host)
    up([host])


@cut.command("link")
def cut_link() -> None:
    """Drop UDP between the Mac and the VPS: the private link is dead, the internet is not."""
    faults.cut_link()
    typer.echo("the private link is cut")


@cut.command("uplink")
def cut_uplink() -> None:
    """Take the home router's internet away."""
    faults.cut_uplink()
    typer.echo("the Mac is offline")


@cut.command("tunnel")
def cut_tunnel(
    host: Annotated[
        Host | None, typer.Argument(parser=_host, metavar="[HOST]", help="mac, if none is named")
    ] = None,
) -> None:
    """Drop what goes between a host and the edge's port for tunnels."""
    cut_off = host or HOSTS["mac"]
    faults.cut_tunnel(cut_off)
    typer.echo(f"{cut_off.name} can't reach the edge")


@app.command()
def heal() -> None:
    """Undo every cut."""
    faults.heal()
    typer.echo("nothing is cut")


@app.command()
def status() -> None:
    """Say what is on, what is cut, and how much memory each host takes."""
    typer.echo(report.text())


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def sh(host: HostName, command: Words = None) -> None:
    """Open a root shell on a host, or run a command there."""
    _become([*hosts.enter(host), *(command or ["/bin/bash", "--login"])])


@app.command(
    "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
def execute(command: Words = None) -> None:
    """Run a command in the controller's network, where every host can be reached."""
    if not network.is_up():
        raise RehearsalError("the network is down; `tests/rehearsal/ctl up` makes it")
    _become([*network.inside(CONTROLLER_NETNS), *(command or ["/bin/bash"])])


@app.command()
def logs(host: HostName, follow: Annotated[bool, typer.Option("--follow", "-f")] = False) -> None:
    """Print a host's journal; of a host that is off, its console."""
    if not hosts.is_on(host):
        console = host.directory / "console.log"
        typer.echo(console.read_text(errors="replace") if console.exists() else "never booted")
        return
    extra = ["--follow"] if follow else []
    _become([*hosts.enter(host), "journalctl", "--no-pager", "--lines=200", *extra])


def _become(command: list[str]) -> None:
    """Replace this process, so that exit codes and terminals pass through untouched."""
    sys.stdout.flush()
    os.execvp(command[0], command)


def main() -> None:
    """Run the command line; what the reader can act on is printed without a traceback."""
    try:
        app()
    except RehearsalError as error:
        typer.echo(f"rehearsal: {error}", err=True)
        raise SystemExit(1) from error

"""`workbench dock`: other machines whose engines are used from here. Also under dockerutils' names."""

import json as json_
import sys
from collections.abc import Callable

import click

from workbench import __version__
from workbench.cli import bare, cloud
from workbench.cli.completion import docks, listed_docks
from workbench.cli.helped import HELP, Group


@click.group(
    "dock",
    cls=Group,
    context_settings=HELP,
    examples=("add box ada@box.example.org", "ls  # what answers, and what it has", "ssh box"),
)
def dock_command() -> None:
    """Other machines, reached by your own ssh, whose engines are used from here.

    A name of ~/.ssh/config is a dock without further ado; `add` gives a name to any other machine. `source dock NAME`
    has a shell's docker commands go there, until `castoff`.
    """


@dock_command.command("add", context_settings=HELP, examples=("box ada@box.example.org", "lab 192.0.2.7:2222"))
@click.argument("name")
@click.argument("host", metavar="[USER@]HOST[:PORT]")
def add(name: str, host: str) -> None:
    """Put a machine on the list of docks."""
    from workbench import ssh
    from workbench.docks.book import Dock, book

    book().add(Dock(name, ssh.host(host)))
    click.echo(f"{name} is {host}. What it has: workbench dock doctor {name}", err=True)


@dock_command.command("rm", context_settings=HELP, examples=("box",))
@click.argument("name", shell_complete=listed_docks)
def remove(name: str) -> None:
    """Take a machine off the list. Nothing happens to the machine."""
    from workbench.docks.book import book

    gone = book().remove(name)
    click.echo(f"{gone.name} ({gone.host}) is no longer on the list.", err=True)


@dock_command.command("ls", context_settings=HELP, examples=("", "box lab  # only these", "--json  # for programs"))
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=docks)
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def ls(names: tuple[str, ...], json: bool) -> None:
    """Show each dock: whether it answers, and what it has.

    That is its engine, GPUs, load and workbenches. One that does not answer within 5 s counts as away.
    """
    from dataclasses import asdict

    from workbench.cli.terminal import table
    from workbench.docks import look
    from workbench.docks.book import book

    listed = book()
    docks = [listed.find(name) for name in names] or list(listed.all().values())
    found = look.look_at_all(docks)
    if json:
        click.echo(
            json_.dumps([{**asdict(each), "dock": each.dock.name, "host": str(each.dock.host)} for each in found])
        )
    elif found:
        table(look.HEAD, map(look.row, found))
    else:
        click.echo("No docks. `workbench dock add NAME [USER@]HOST` puts a machine on the list.", err=True)


@dock_command.command(
    "ssh", context_settings={**HELP, "allow_interspersed_args": False}, examples=("box", "box nvidia-smi")
)
@click.argument("name", shell_complete=docks)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARGS...]]")
def ssh_(name: str, command: tuple[str, ...]) -> int:
    """Open a terminal on a dock, or run a command there."""
    import shlex

    from workbench import process
    from workbench.docks.book import book

    host = book().find(name).host
    return process.attach(("ssh", *host.words, *((shlex.join(command),) if command else ())))


@dock_command.command("doctor", context_settings=HELP, examples=("box", "box --json  # for programs"))
@click.argument("name", shell_complete=docks)
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def doctor(name: str, json: bool) -> int:
    """Say what a dock lacks, and how to mend it.

    The exit code is 6 when it cannot be used.
    """
    from dataclasses import asdict

    from workbench.docks import look
    from workbench.docks.book import book

    found = list(look.checks(look.look(book().find(name))))
    if json:
        click.echo(json_.dumps([asdict(each) for each in found]))
    else:
        for each in found:
            click.echo(f"{'✓' if each.ok else '✗'} {each.what}: {each.found}")
            if each.fix:
                click.echo(f"    → {each.fix}")
    return 0 if all(each.ok for each in found if each.what in ("ssh", "engine")) else 6


@dock_command.command(
    "env",
    context_settings=HELP,
    examples=("--shell fish box | source", "box  # what would be read"),
)
@click.argument("name", shell_complete=docks)
@click.option("--shell", type=click.Choice(["bash", "zsh", "fish"]), default="bash", help="Whose words to print.")
@click.option("--pid", type=int, default=None, help="The process with which it ends; default: the calling shell.")
def env(name: str, shell: str, pid: int | None) -> None:
    """Print what has a shell's docker commands go to a dock.

    The shell is to read it, and `castoff` undoes it. In bash and zsh, `source dock NAME` does both.
    """
    import os
    from pathlib import Path

    from workbench import process
    from workbench.docks import tunnel
    from workbench.docks.book import book, check_name
    from workbench.docks.shell import docked

    dock = book().find(check_name(name))
    with tunnel.held(dock) as there:
        log = there.folder / "holder.log"
        argv = (sys.executable, "-P", "-m", "workbench.docks.holder", name, str(pid or os.getppid()))
        holder = process.detach(argv, env=process.environment(), cwd=Path("/"), log=log)
        # Podman's own program has another variable for the same thing.
        variable = "CONTAINER_HOST" if there.kind == "podman" else "DOCKER_HOST"
        click.echo(docked(shell, name, {variable: there.engine}, holder), nl=False)  # type: ignore[arg-type]
        # Until the holder holds it too: the tunnel outlives its last holder by some seconds.


@dock_command.command("context", context_settings=HELP, examples=("box  # then: docker --context box ps",))
@click.argument("name", shell_complete=docks)
def context(name: str) -> None:
    """Have a Docker context for a dock.

    `docker --context NAME …` then goes there by itself.
    """
    import shlex

    from workbench.docks import contexts
    from workbench.docks.book import book, check_name

    made = contexts.make(check_name(name), book().find(name).host)
    click.echo(f"$ {shlex.join(made)}" if made else f"The context {name} is there already.", err=True)


@dock_command.command("trust", context_settings=HELP, examples=("box", "box --no"))
@click.argument("name", shell_complete=listed_docks)
@click.option("--no", "distrust", is_flag=True, help="Do not trust it any more.")
def trust(name: str, distrust: bool) -> None:
    """Say that you trust a dock as you trust this machine.

    Asked for only where this system (a Mac, Linux before 6.2) cannot keep it from writing outside of projects here.
    """
    from dataclasses import replace

    from workbench.docks.book import book, check_name

    listed = book()
    listed.replace(replace(listed.find(check_name(name)), trusted=not distrust))
    click.echo(f"{name} is {'no longer ' if distrust else ''}trusted as this machine is.", err=True)


dock_command.add_command(bare.notebook)
for _each in (cloud.create, cloud.start, cloud.stop, cloud.destroy):
    dock_command.add_command(_each)


def _main(name: str, command: click.Command, *before: str) -> Callable[[], None]:
    """The entry point of a command that has dockerutils' name."""

    def run() -> None:
        from workbench.cli import edge

        arguments = [*before, *sys.argv[1:]]
        named = click.version_option(__version__, "--version", prog_name=name)(command)
        edge.run(lambda: named(arguments, standalone_mode=False, prog_name=name), json="--json" in arguments)

    return run


register_dock = _main("register-dock", add)
unregister_dock = _main("unregister-dock", remove)
ls_dock = _main("ls-dock", ls)
ssh_dock = _main("ssh-dock", ssh_)
nb_dock = _main("nb-dock", bare.notebook)
create_dock = _main("create-dock", cloud.create)
start_dock = _main("start-dock", cloud.start)
stop_dock = _main("stop-dock", cloud.stop)
destroy_dock = _main("destroy-dock", cloud.destroy)

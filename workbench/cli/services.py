"""`workbench services`: the services of a project's Compose file."""

import json as json_
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli import completion, helped

if TYPE_CHECKING:
    from workbench.cli.terminal import Terminal
    from workbench.flow import Survey
    from workbench.model import ServiceState
    from workbench.services.beside import Services
    from workbench.services.life import Group

NAMES = click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=completion.services)
HEAD = ("SERVICE", "STATE", "PORTS", "STOPS WITH THE WORKBENCH")


@dataclass(frozen=True, slots=True)
class Opened:
    """The services of the project of a command."""

    survey: "Survey"
    services: "Services"
    group: "Group"
    terminal: "Terminal"

    def check(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names, all of which the file has."""
        from workbench.model import ServiceUse
        from workbench.plan import services as plan

        return plan.wanted(self.services.source.stack, {name: ServiceUse() for name in names})

    def compose(self, *words: str) -> int:
        """Have Compose do it on this terminal."""
        import os
        import sys

        from workbench import process

        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        command = self.group.command(*words, colour=colour)
        self.terminal.command(command)
        return process.attach(command, env=self.group.program.env)


@click.group(
    "services",
    cls=helped.Group,
    invoke_without_command=True,
    examples=("  # what there is, and what it is doing", "up db", "logs --follow db", "down"),
)
@click.option("--path", default=".", type=click.Path(path_type=Path), help="The project; default: this folder's.")
@click.option("--engine", type=click.Choice(["docker", "podman"]), help="What runs them; default: the workbench's.")
@click.option(
    "--dock",
    metavar="NAME",
    shell_complete=completion.docks,
    help="The machine that runs them; default: the workbench's.",
)
@click.option("--verbose", "-v", count=True, help="Show commands and the tools' own output.")
@click.pass_context
def services_command(context: click.Context, path: Path, engine: str | None, dock: str | None, verbose: int) -> None:
    """Show and control the services of the project's Compose file.

    `run-notebook --with NAME,…` has them beside a workbench: it starts those that do not run, and stops them again
    with it. What these commands start stays until `down`.
    """
    context.obj = (path, {name: value for name, value in (("engine", engine), ("dock", dock)) if value}, verbose)
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@services_command.command("ls", examples=("", "--json  # for programs"))
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
@click.pass_context
def list_command(context: click.Context, json: bool) -> None:
    """List the services, what they are doing, and where.

    The ports are those at which they are published on this machine.
    """
    from workbench.cli.terminal import table
    from workbench.services import life

    with _opened(context) as found:
        states, ours = found.group.states(), life.started(found.survey.state)
        known = found.services.source.stack.services
        if json:
            rows = [_described(name, states.get(name, []), ours=name in ours) for name in known]
            click.echo(json_.dumps(rows))
            return
        click.echo(f"{found.services.source.stack.name}, by {found.group.program}", err=True)
        table(HEAD, (_row(name, states.get(name, []), ours=name in ours) for name in known))


@services_command.command("up", examples=("  # all that the workbench has", "db mlflow", "--build api"))
@click.option("--build", is_flag=True, help="Build their images anew before.")
@click.option("--trust", is_flag=True, help="Approve what the Compose file asks of this machine.")
@NAMES
@click.pass_context
def up_command(context: click.Context, names: tuple[str, ...], build: bool, trust: bool) -> int:
    """Start services, and bring those that run up to the file.

    Without a NAME: all that the workbench has.
    """
    from workbench.plan import services as plan
    from workbench.services import life

    with _opened(context) as found:
        wanted = found.check(names) or found.services.names or found.check((plan.ALL,))
        found.services.agree(wanted, found.terminal, trusted=trust)
        with found.survey.state.lock(lambda: found.terminal.note("Another command is at work on it: waiting.")):
            if build and (code := found.compose("build", *wanted)):
                return code
            life.up(found.group, wanted, found.survey.state, found.terminal, ours=False, again=True)
            life.forget(found.survey.state, wanted)
            _join_again(found)
    return 0


@services_command.command("down", examples=("  # all of them", "db", "--volumes  # with what they have kept"))
@click.option("--volumes", is_flag=True, help="Remove their volumes too: what they have kept is lost.")
@NAMES
@click.pass_context
def down_command(context: click.Context, names: tuple[str, ...], volumes: bool) -> int:
    """Stop services and remove their containers. Volumes stay.

    Without a NAME it is all of them, with their networks.
    """
    from workbench.services import life

    with _opened(context) as found:
        wanted = found.check(names)
        with found.survey.state.lock(lambda: found.terminal.note("Another command is at work on it: waiting.")):
            if wanted:
                code = found.compose("rm", "--stop", "--force", *(["-v"] if volumes else []), *wanted)
            else:
                _leave(found)
                # Those of every profile.
                chosen = ("--profile", "*") if found.group.program.is_modern else ()
                code = found.compose(*chosen, "down", *(["--volumes"] if volumes else []))
            life.forget(found.survey.state, wanted or tuple(found.services.source.stack.services))
    return code


@services_command.command("logs", examples=("", "--follow --tail 20 db"))
@click.option("--follow", "-f", is_flag=True, help="Go on until they stop.")
@click.option("--tail", "-n", type=int, default=None, help="Only the last N lines of each.")
@NAMES
@click.pass_context
def logs_command(context: click.Context, names: tuple[str, ...], follow: bool, tail: int | None) -> int:
    """Show what services write."""
    with _opened(context) as found:
        last = [] if tail is None else [f"--tail={tail}"]
        return found.compose("logs", *(["--follow"] if follow else []), *last, *found.check(names))


@services_command.command(
    "exec",
    context_settings={"allow_interspersed_args": False},
    examples=("db psql -U postgres", "cache redis-cli ping"),
)
@click.argument("name", shell_complete=completion.services)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARGS...]")
@click.pass_context
def exec_command(context: click.Context, name: str, argv: tuple[str, ...]) -> int:
    """Run a command in the container of a service."""
    import sys

    with _opened(context) as found:
        found.check((name,))
        plain = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["-T"]
        return found.compose("exec", *plain, name, *(argv[1:] if argv[0] == "--" else argv))


@services_command.command("restart", examples=("db", "  # all of them"))
@NAMES
@click.pass_context
def restart_command(context: click.Context, names: tuple[str, ...]) -> None:
    """Stop and start services as they are.

    Without a NAME it is all of them.
    """
    from workbench.services import life

    with _opened(context) as found:
        life.restart(found.group, found.check(names), found.terminal)


@contextmanager
def _opened(context: click.Context) -> Iterator[Opened]:
    from workbench import flow
    from workbench.cli.terminal import ui
    from workbench.model import Request
    from workbench.services import beside, life

    path, flags, verbose = context.obj
    environ, terminal = flow.current_environ(), ui(verbose)
    found = flow.survey(Request(path, flags or _where(path)), environ, terminal)
    try:
        known = (found.project, found.settings, found.engine, found.facts, found.state)
        services = found.services or beside.look(*known, environ)
        group = services.group()
        life.refuse_others(group)
        yield Opened(found, services, group, terminal)
    finally:
        found.engine.close()


def _where(path: Path) -> dict[str, str]:
    """The flags that lead to where the project's workbench runs; none where none does."""
    from workbench.errors import ProjectError
    from workbench.workbenches import chosen

    try:
        with chosen(str(path.resolve())) as found:
            running = found[0].running
    except ProjectError:
        return {}
    if running.state != "running" or running.engine == "local":
        return {}
    return {"dock": running.dock} if running.dock else {"engine": running.engine}


def _leave(found: Opened) -> None:
    """Networks go only when nobody is in them."""
    for each in found.survey.engine.find(found.survey.mine):
        found.survey.engine.leave(each.id, tuple(found.services.source.stack.networks.values()))


def _join_again(found: Opened) -> None:
    """A network that was made anew has nobody in it."""
    companions = found.survey.companions
    for each in found.survey.engine.find(found.survey.mine) if companions else []:
        if companions and each.state == "running":
            found.survey.engine.join(each.id, companions.networks)


def _row(name: str, states: "list[ServiceState]", *, ours: bool) -> tuple[str, ...]:
    from workbench import show

    ports = dict.fromkeys(port for each in states for port in each.ports)
    return (name, show.service(states) or "-", ", ".join(ports) or "-", "yes" if ours else "-")


def _described(name: str, states: "list[ServiceState]", *, ours: bool) -> dict[str, object]:
    from dataclasses import asdict

    return {"service": name, "ours": ours, "containers": [asdict(each) for each in states]}

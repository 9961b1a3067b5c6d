"""The everyday verbs on workbenches: ps, url, open, logs, stats, exec, shell, stop, restart, rm."""

import json as json_
from typing import TYPE_CHECKING

import click

from workbench.cli.completion import running, workbenches
from workbench.cli.helped import Command

if TYPE_CHECKING:
    from workbench.model import Endpoint, Running
    from workbench.workbenches import Found

NAME = click.argument("name", required=False, default=".", shell_complete=workbenches)
RUNNING = click.argument("name", required=False, default=".", shell_complete=running)


@click.command(
    "ps",
    cls=Command,
    examples=("", "--all-docks  # those on every dock, too", "--json  # for programs"),
)
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="Names only.")
@click.option("--all-docks", is_flag=True, help="Ask every dock, not only those that there is a tunnel to.")
def ps_command(json: bool, quiet: bool, all_docks: bool) -> None:
    """List this user's workbenches on every engine, stopped ones too."""
    from workbench import show
    from workbench.cli.terminal import table
    from workbench.workbenches import every

    with every(all_docks=all_docks) as found:
        if json:
            click.echo(json_.dumps(_described(found)))
        elif quiet:
            click.echo("\n".join(each.running.name for each in found), nl=bool(found))
        elif found:
            table(show.PS_HEAD, (show.ps_row(each.running) for each in found))
        else:
            click.echo("No workbenches. `run-notebook` in a project folder starts one.", err=True)


def _described(found: "list[Found]") -> list[dict[str, object]]:
    """Each workbench for a program, with what its GPUs are doing."""
    from workbench import show
    from workbench.usage import gpu_usages

    pairs = zip(found, gpu_usages(found), strict=True)
    return [{**show.running_json(each.running, each.endpoint()), "gpus": show.gpus_json(gpus)} for each, gpus in pairs]


@click.command(
    "url", cls=Command, examples=("", "~/analysis  # of another folder", "--json  # with port and token apart")
)
@RUNNING
@click.option("--json", is_flag=True, help="The whole description as JSON.")
def url_command(name: str, json: bool) -> None:
    """Print the URL of a running workbench, token included."""
    from workbench import show
    from workbench.workbenches import only

    with only(name) as found:
        endpoint = _endpoint(found)
        click.echo(json_.dumps(show.running_json(found.running, endpoint)) if json else endpoint.url)


@click.command("open", cls=Command, examples=("", "~/analysis  # that of another folder"))
@RUNNING
def open_command(name: str) -> None:
    """Open a running workbench in the browser."""
    from workbench import ready
    from workbench.workbenches import only

    with only(name) as found:
        endpoint = _endpoint(found)
        if not ready.open_browser(endpoint.url, found.state.folder):
            click.echo("No browser can be opened here. The address is:", err=True)
            click.echo(endpoint.url)


@click.command("logs", cls=Command, examples=("--follow", "--tail 20 ~/analysis  # the last lines of another folder's"))
@NAME
@click.option("--follow", "-f", is_flag=True, help="Go on until the workbench stops.")
@click.option("--tail", "-n", type=int, default=None, help="Only the last N lines.")
def logs_command(name: str, follow: bool, tail: int | None) -> None:
    """Show the server's log."""
    from workbench.workbenches import only

    with only(name, running=False) as found:
        for line in found.engine.logs(found.running.id, follow=follow, tail=tail):
            click.echo(line)


STATS_HEAD = ("NAME", "CPU", "MEMORY", "PROCESSES", "NETWORK IN / OUT", "DISK READ / WRITTEN")


@click.command("stats", cls=Command, examples=("", ".  # only this folder's", "--json  # for programs"))
@click.argument("name", required=False, default=None, shell_complete=running)
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def stats_command(name: str | None, json: bool) -> None:
    """Show what running workbenches use, their GPUs too.

    Without a NAME it is all of this user's.
    """
    from dataclasses import asdict

    from workbench import show
    from workbench.cli.terminal import table
    from workbench.usage import usage
    from workbench.workbenches import chosen

    with chosen(name) as found:
        used = usage(each for each in found if _runs(each.running))
    if json:
        lines = [{"name": each.name, **asdict(stats), "gpus": show.gpus_json(gpus)} for each, stats, gpus in used]
        click.echo(json_.dumps(lines))
        return
    with_gpus = any(gpus for _, _, gpus in used)
    head = (*STATS_HEAD, *(("GPU",) if with_gpus else ()))
    rows = ((each.name, *show.stats_cells(stats), show.gpus_cell(gpus))[: len(head)] for each, stats, gpus in used)
    table(head, rows)


DEVICE = click.option(
    "--device", type=click.Choice(["cpu", "gpu"]), help="In the environment of this device; default: the selected one."
)


@click.command(
    "exec",
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    examples=("pytest -x", "--device gpu -- python train.py --epochs 3", "--name ~/analysis pip list"),
)
@click.option("--name", default=".", help="The workbench; default: this folder's.", shell_complete=running)
@DEVICE
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARGS...]")
def exec_command(name: str, device: str | None, argv: tuple[str, ...]) -> int:
    """Run a command inside, in the project's environment and folder."""
    from workbench.workbenches import only

    with only(name) as found:
        return _attached(found, device, argv)


@click.command("shell", cls=Command, examples=("", "~/analysis  # in that of another folder", "--device gpu"))
@RUNNING
@DEVICE
def shell_command(name: str, device: str | None) -> int:
    """Open a shell inside, in the project's environment and folder."""
    from workbench.workbenches import only

    with only(name) as found:
        return _attached(found, device, ("bash",) if found.engine.name != "local" else (_host_shell(),))


@click.command("stop", cls=Command, examples=("", "~/analysis  # that of another folder", "--all"))
@RUNNING
@click.option("--all", "-a", "all_", is_flag=True, help="Every workbench of this user.")
def stop_command(name: str, all_: bool) -> None:
    """Stop a workbench in order: a save in progress is finished.

    What was installed in it stays. `run-notebook` starts it again, with the same address and token.
    """
    from workbench.errors import ProjectError
    from workbench.workbenches import chosen, leave_behind

    try:
        with chosen(None if all_ else name) as found:
            for each in found:
                if not _runs(each.running):
                    click.echo(f"{each.running.name} is not running.", err=True)
                    each.leave()
                    continue
                each.stop()
                click.echo(f"Stopped {each.running.name}.", err=True)
    except ProjectError:
        if all_ or not leave_behind(name):
            raise


@click.command("restart", cls=Command, examples=("", "~/analysis  # that of another folder"))
@NAME
@click.option("--json", is_flag=True, help="The whole description as JSON.")
def restart_command(name: str, json: bool) -> None:
    """Stop a workbench and start it again, as it was approved.

    It keeps its URL and token. What has changed in the project's configuration since is for `run-notebook --restart`.
    """
    from workbench import show
    from workbench.recreate import restart
    from workbench.workbenches import only

    with only(name, running=False) as found:
        endpoint = restart(found.engine, found.running, lambda line: click.echo(line, err=True))
        click.echo(json_.dumps(show.running_json(found.running, endpoint)) if json else endpoint.url)


@click.command("rm", cls=Command, examples=("", "--force ~/analysis  # that of another folder, stopped before"))
@NAME
@click.option("--force", "-f", is_flag=True, help="Stop it first when it is running.")
@click.option("--copy", is_flag=True, help="On a dock: remove the project's copy too, with what is ignored there.")
def rm_command(name: str, force: bool, copy: bool) -> None:
    """Remove a stopped workbench: its container and its HOME.

    The project and the image stay.
    """
    from workbench.errors import EngineError
    from workbench.workbenches import only

    with only(name, running=False) as found:
        if _runs(found.running) and not force:
            raise EngineError(f"{found.running.name} is running.", "Stop it first, or use --force.")
        found.remove(copy=copy)
        click.echo(f"Removed {found.running.name}.", err=True)
        if found.running.dock and not copy:
            click.echo(
                f"The project's copy on {found.running.dock} stays (`workbench rm --copy` removes it).", err=True
            )


def _runs(running: "Running") -> bool:
    return running.state == "running"


def _endpoint(found: "Found") -> "Endpoint":
    from workbench.errors import EngineError

    endpoint = found.endpoint()
    if endpoint is None:
        raise EngineError(
            f"The token of {found.running.name} is not known here.", "`run-notebook` in its project finds it."
        )
    return endpoint


def _attached(found: "Found", device: str | None, argv: tuple[str, ...]) -> int:
    import sys

    from workbench import process
    from workbench.plan.enter import on_device

    tty = sys.stdin.isatty() and sys.stdout.isatty()
    command, env = found.engine.exec_argv(found.running.id, on_device(found.running, device, argv), tty=tty)
    return process.attach(command, env=env)


def _host_shell() -> str:
    from workbench.flow import current_environ

    return current_environ().get("SHELL", "/bin/sh")

"""The everyday verbs on workbenches: ps, url, open, logs, stats, exec, shell, stop, restart, rm."""

import json as json_

import click

from workbench import show
from workbench.errors import EngineError
from workbench.model import Endpoint, Running
from workbench.workbenches import Found, chosen, every, only

NAME = click.argument("name", required=False, default=".")


@click.command("ps")
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="Names only.")
def ps_command(json: bool, quiet: bool) -> None:
    """List this user's workbenches on every engine that answers, stopped ones too."""
    with every() as found:
        if json:
            click.echo(json_.dumps([show.running_json(each.running, each.endpoint()) for each in found]))
        elif quiet:
            click.echo("\n".join(each.running.name for each in found), nl=bool(found))
        elif found:
            click.echo(show.table(show.PS_HEAD, (show.ps_row(each.running) for each in found)))
        else:
            click.echo("No workbenches. `run-notebook` in a project folder starts one.", err=True)


@click.command("url")
@NAME
@click.option("--json", is_flag=True, help="The whole description as JSON.")
def url_command(name: str, json: bool) -> None:
    """Print the URL of a running workbench, token included."""
    with only(name) as found:
        endpoint = _endpoint(found)
        click.echo(json_.dumps(show.running_json(found.running, endpoint)) if json else endpoint.url)


@click.command("open")
@NAME
def open_command(name: str) -> None:
    """Open a running workbench in the browser."""
    from workbench import ready

    with only(name) as found:
        endpoint = _endpoint(found)
        if not ready.open_browser(endpoint.url, found.state.folder):
            click.echo("No browser can be opened here. The address is:", err=True)
            click.echo(endpoint.url)


@click.command("logs")
@NAME
@click.option("--follow", "-f", is_flag=True, help="Go on until the workbench stops.")
@click.option("--tail", "-n", type=int, default=None, help="Only the last N lines.")
def logs_command(name: str, follow: bool, tail: int | None) -> None:
    """Show the server's log."""
    with only(name, running=False) as found:
        for line in found.engine.logs(found.running.id, follow=follow, tail=tail):
            click.echo(line)


STATS_HEAD = ("NAME", "CPU", "MEMORY", "PROCESSES", "NETWORK IN / OUT", "DISK READ / WRITTEN")


@click.command("stats")
@click.argument("name", required=False, default=None)
@click.option("--json", is_flag=True, help="One JSON list on standard output.")
def stats_command(name: str | None, json: bool) -> None:
    """Show what running workbenches use; all of this user's without a NAME."""
    from dataclasses import asdict

    with chosen(name) as found:
        samples = [(each.running, each.engine.stats(each.running.id)) for each in found if _runs(each.running)]
        if json:
            click.echo(json_.dumps([{"name": running.name, **asdict(stats)} for running, stats in samples]))
        else:
            click.echo(show.table(STATS_HEAD, ((running.name, *show.stats_cells(stats)) for running, stats in samples)))


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.option("--name", default=".", help="The workbench; default: this folder's.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARGS...]")
def exec_command(name: str, argv: tuple[str, ...]) -> int:
    """Run a command inside, in the project's environment and folder."""
    with only(name) as found:
        return _attached(found, argv)


@click.command("shell")
@NAME
def shell_command(name: str) -> int:
    """Open a shell inside, in the project's environment and folder."""
    with only(name) as found:
        return _attached(found, ("bash",) if found.engine.name != "local" else (_host_shell(),))


@click.command("stop")
@NAME
@click.option("--all", "-a", "all_", is_flag=True, help="Every workbench of this user.")
def stop_command(name: str, all_: bool) -> None:
    """Stop a workbench in order: a save in progress is finished. What was installed in it stays."""
    with chosen(None if all_ else name) as found:
        for each in found:
            if not _runs(each.running):
                click.echo(f"{each.running.name} is not running.", err=True)
                continue
            with each.locked():
                each.engine.stop(each.running.id)
            click.echo(f"Stopped {each.running.name}.", err=True)


@click.command("restart")
@NAME
@click.option("--json", is_flag=True, help="The whole description as JSON.")
def restart_command(name: str, json: bool) -> None:
    """Stop a workbench and start it again, as it was approved: same URL and token."""
    from workbench.launch import restart

    with only(name, running=False) as found:
        endpoint = restart(found.engine, found.running)
        click.echo(json_.dumps(show.running_json(found.running, endpoint)) if json else endpoint.url)


@click.command("rm")
@NAME
@click.option("--force", "-f", is_flag=True, help="Stop it first when it is running.")
def rm_command(name: str, force: bool) -> None:
    """Remove a workbench: its container and its HOME. The project and the image stay."""
    with only(name, running=False) as found:
        if _runs(found.running) and not force:
            raise EngineError(f"{found.running.name} is running.", "Stop it first, or use --force.")
        with found.locked():
            found.engine.stop(found.running.id)
            found.engine.remove(found.running.id, volumes=True)
            found.state.forget()
        click.echo(f"Removed {found.running.name}.", err=True)


def _runs(running: Running) -> bool:
    return running.state == "running"


def _endpoint(found: Found) -> Endpoint:
    endpoint = found.endpoint()
    if endpoint is None:
        raise EngineError(
            f"The token of {found.running.name} is not known here.", "`run-notebook` in its project folder finds it."
        )
    return endpoint


def _attached(found: Found, argv: tuple[str, ...]) -> int:
    import sys

    from workbench import process

    tty = sys.stdin.isatty() and sys.stdout.isatty()
    command, env = found.engine.exec_argv(found.running.id, argv, tty=tty)
    return process.attach(command, env=env)


def _host_shell() -> str:
    from workbench.launch import current_environ

    return current_environ().get("SHELL", "/bin/sh")

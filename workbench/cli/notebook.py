"""`run-notebook`: a running JupyterLab for a project folder."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench import __version__
from workbench.cli import completion, helped

if TYPE_CHECKING:
    from workbench.cli.terminal import Terminal
    from workbench.flow import Launched
    from workbench.model import Request

Command = TypeVar("Command", bound=Callable[..., Any])
SETTINGS = [
    "device",
    "engine",
    "dock",
    "image",
    "as_is",
    "base_image",
    "port",
    "classic",
    "diffs",
    "env",
    "env_file",
    "mounts",
    "memory",
    "cpus",
    "shm_size",
    "services",
]


def _option(*names: str, **rest: Any) -> Callable[[Command], Command]:
    """A setting: None when it was not given, so that the project's configuration speaks."""
    return click.option(*names, default=None, **rest)


@click.command(
    cls=helped.Command,
    context_settings=helped.HELP,
    examples=(
        "  # this folder's project",
        "~/analysis --detach  # another one, left running",
        "--gpu --with db,mlflow  # on the GPU, with two services beside it",
        "--dock box  # on another machine",
    ),
)
@click.argument("path", required=False, default=".", type=click.Path(readable=False), metavar="[PATH|URL[@REF]]")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTER OPTIONS]")
@_option(
    "--device",
    metavar="auto|cpu|gpu|gpu:0,1",
    shell_complete=completion.devices,
    help="What computes; GPUs by index or UUID.",
)
@_option("--cpu", "device", flag_value="cpu", help="Same as --device cpu: no GPU at all.")
@_option("--gpu", "-g", "device", flag_value="gpu", help="Same as --device gpu: kernels start on it.")
@_option("--engine", type=click.Choice(["auto", "docker", "podman", "local"]), help="What runs the workbench.")
@_option(
    "--dock",
    metavar="NAME",
    shell_complete=completion.docks,
    help="Run it on this machine, reached by ssh: a dock, or [USER@]HOST[:PORT].",
)
@click.option("--ship", is_flag=True, help="With --dock: build the image here, and send what is missing of it.")
@_option("--image", metavar="REF", help="Use this image as the base (pulled when absent).")
@_option("--as-is/--no-as-is", help="Start the image without adding anything to it.")
@_option("--base-image", metavar="REF", help="Build our image on this one.")
@click.option("--rebuild", is_flag=True, help="Build anew, with fresh base image and packages.")
@click.option("--offline", is_flag=True, help="Fetch nothing from a registry or an index.")
@_option("--port", type=int, metavar="N", help="Port on 127.0.0.1.")
@_option("--classic/--lab", help="Open the classic notebook interface.")
@click.option("--detach", "-d", is_flag=True, help="Leave it running and return.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@_option("--diffs/--no-diffs", help="Write .py and .html copies of notebooks on save.")
@_option("--env", "-e", multiple=True, metavar="K=V", help="Environment variable for kernels (repeatable).")
@_option("--env-file", metavar="FILE", help="File of environment variables.")
@_option("--mount", "mounts", multiple=True, metavar="SRC:DST[:ro]", help="Another folder to see inside (repeatable).")
@_option(
    "--with",
    "services",
    metavar="NAME,…|all",
    shell_complete=completion.wanted_services,
    help="Services of compose.yaml to have beside it.",
)
@_option("--memory", metavar="4g", help="Memory limit.")
@_option("--cpus", type=float, metavar="N", help="CPU limit, in cores.")
@_option("--shm-size", metavar="1g", help="Shared memory size.")
@click.option("--restart", is_flag=True, help="Restart a running workbench, applying what has changed.")
@click.option("--keep", is_flag=True, help="Keep a running workbench as it is, without asking.")
@click.option("--trust", is_flag=True, help="Approve what the project's configuration asks of this machine.")
@click.option("--dry-run", is_flag=True, help="Print the commands that would run, and stop.")
@click.option("--json", is_flag=True, help="One JSON document on standard output (with --detach or --dry-run).")
@click.option("--verbose", "-v", count=True, help="Show commands and the tools' own output.")
@click.option("--quiet", "-q", is_flag=True, help="Errors only.")
@click.version_option(__version__, "--version", prog_name="run-notebook")
def run_notebook(path: str, jupyter: tuple[str, ...], **given: Any) -> int:
    """Start JupyterLab for the project in PATH, or in this folder.

    It runs in a container, or without one where there is no engine. A second call finds the running workbench and
    opens it again. Options after `--` go to Jupyter. The address of a git repository is cloned into the cache, and
    started once you have agreed to that.
    """
    from workbench.cli.signals import as_interrupt
    from workbench.cli.terminal import ui
    from workbench.flow import current_environ, launch

    request = _request(Path(path), jupyter, given)
    terminal = ui(request.verbosity, interactive=not request.json)
    with as_interrupt():
        launched = launch(_fetched(path, request, terminal), current_environ(), terminal)
        try:
            return _report(launched, request, terminal)
        finally:
            launched.survey.engine.close()


def _fetched(path: str, request: "Request", terminal: "Terminal") -> "Request":
    """The request for the folder that a repository was cloned to, where an address was given."""
    if ":" not in path or Path(path).exists():
        return request
    from dataclasses import replace

    from workbench import repository

    wanted = repository.parse(path)
    return replace(request, path=repository.fetch(wanted, terminal), repository=wanted) if wanted else request


def _request(path: Path, jupyter: tuple[str, ...], given: Mapping[str, Any]) -> "Request":
    from workbench.model import Request

    flags = {name: given[name] for name in SETTINGS if given[name] not in (None, ())}
    return Request(
        path=path,
        flags=flags,
        restart=given["restart"],
        keep=given["keep"],
        rebuild=given["rebuild"],
        offline=given["offline"],
        ship=given["ship"],
        trust=given["trust"],
        dry_run=given["dry_run"],
        json=given["json"],
        detach=given["detach"] or given["json"],
        browser=not given["no_browser"],
        verbosity=-1 if given["quiet"] else given["verbose"],
        jupyter=jupyter,
    )


def _report(launched: "Launched", request: "Request", terminal: "Terminal") -> int:
    """Say what came of it; stay in the foreground unless told otherwise."""
    from workbench import show

    if launched.outcome == "planned":
        click.echo(_planned(launched, json=request.json))
        return 0
    running, endpoint = launched.running, launched.endpoint
    if running is None or endpoint is None:
        raise AssertionError("a launch that was no dry run ends with a running workbench")
    if request.detach or launched.outcome == "opened":
        from workbench.agent import process

        process.begin(launched.survey.state, running.engine)
    if request.json:
        import json

        click.echo(json.dumps(show.running_json(running, endpoint)))
        return 0
    word = {"started": "JupyterLab is running", "resumed": "JupyterLab is running again"}
    how = f"{show.engine(running)}, {show.computes(running)}"
    terminal.note(f"{word.get(launched.outcome, 'Already running')}: {running.name} ({how})")
    click.echo(endpoint.url)
    _open(launched, request, terminal)
    if request.detach or launched.outcome == "opened":
        terminal.note("Stop it with: workbench stop" if request.detach else "")
        return 0
    return _foreground(launched, terminal)


def _open(launched: "Launched", request: "Request", terminal: "Terminal") -> None:
    from workbench import ready
    from workbench.flow import current_environ

    if request.browser and launched.endpoint and ready.can_open_browser(current_environ()):
        ready.open_browser(launched.endpoint.url, launched.survey.state.folder)


def _foreground(launched: "Launched", terminal: "Terminal") -> int:
    """Show the server's log until it ends; Ctrl-C stops it in order, so that no save is cut off."""
    from workbench.cli.foreground import Foreground

    terminal.note("Ctrl-C stops it.\n")
    foreground = Foreground(launched, terminal.note)
    try:
        for line in foreground.log():
            click.echo(line, err=True)
    except KeyboardInterrupt:
        terminal.note("\nStopping JupyterLab (a save in progress is finished first) …")
        name = foreground.stop()
        terminal.note(f"Stopped. `run-notebook` starts it again as it was; `workbench rm {name}` removes it.")
    return 0


def _planned(launched: "Launched", *, json: bool) -> str:
    """The plan as the commands that a person would type."""
    from workbench.cli.planned import planned_json, planned_text

    return planned_json(launched) if json else planned_text(launched)


def main() -> None:
    """The `run-notebook` command."""
    from workbench.cli import edge

    edge.run(lambda: run_notebook(standalone_mode=False, prog_name="run-notebook"), json="--json" in sys.argv)

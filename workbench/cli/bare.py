"""`nb-dock`: JupyterLab on another machine that has no container engine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.completion import docks
from workbench.cli.helped import HELP, Command

if TYPE_CHECKING:
    from workbench.docks.bare import Bare
    from workbench.state import State


@click.command(
    "notebook",
    cls=Command,
    context_settings=HELP,
    examples=("box  # this folder's project", "box ~/analysis --no-browser", "ada@box.example.org"),
)
@click.argument("name", shell_complete=docks)
@click.argument("path", required=False, default=".", type=click.Path(path_type=Path, readable=False))
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTER OPTIONS]")
@click.option("--port", type=int, metavar="N", help="Port on 127.0.0.1, on both machines.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option("--trust", is_flag=True, help="Approve what the project's configuration asks of that machine.")
@click.option("--json", is_flag=True, help="Say where it answers as one JSON document on standard output.")
def notebook(
    name: str, path: Path, jupyter: tuple[str, ...], port: int | None, no_browser: bool, trust: bool, json: bool
) -> None:
    """Start JupyterLab on another machine itself, without a container.

    It is for the project in PATH, on the machine NAME, and Ctrl-C stops it. Workbench has to be installed there. The
    project is kept the same on both sides for as long as this runs.
    """
    import json as json_
    from dataclasses import asdict

    from workbench import ready
    from workbench.cli.signals import as_interrupt
    from workbench.cli.terminal import ui
    from workbench.docks.bare import serve
    from workbench.docks.book import book
    from workbench.flow import current_environ

    terminal = ui(0, interactive=not json)

    def reached(bare: "Bare", state: "State") -> None:
        terminal.note(f"JupyterLab is running on {name}, without a container. Ctrl-C stops it.")
        click.echo(json_.dumps({**asdict(bare), "dock": name}) if json else bare.url)
        if not no_browser and not json and ready.can_open_browser(current_environ()):
            ready.open_browser(bare.url, state.folder)

    options = [*(["--port", str(port)] if port else []), *(["--trust"] if trust else [])]
    try:
        with as_interrupt():
            serve(book().find(name), path, terminal, reached, options=options, jupyter=jupyter)
    except KeyboardInterrupt:
        terminal.note(f"Stopped on {name}.")

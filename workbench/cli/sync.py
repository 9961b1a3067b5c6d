"""`workbench sync`: how a project and its copy on a dock are kept the same."""

import time
from typing import TYPE_CHECKING

import click

from workbench.cli.completion import workbenches
from workbench.cli.helped import Command

if TYPE_CHECKING:
    from workbench.docks.sync.copy import Status


@click.command("sync", cls=Command, examples=("", "--wait  # before you look at results here", "~/analysis --json"))
@click.argument("name", required=False, default=".", shell_complete=workbenches)
@click.option("--wait", is_flag=True, help="Return when all that was saved so far is on both sides.")
@click.option("--json", is_flag=True, help="One JSON document on standard output.")
def sync_command(name: str, wait: bool, json: bool) -> None:
    """Show how a project and its copy on a dock are kept the same.

    It says what waits, what both sides have changed, and what could not be copied.
    """
    import json as json_
    from dataclasses import asdict

    from workbench.docks.sync import copy
    from workbench.errors import DockError
    from workbench.workbenches import of_dock

    state = of_dock(name)
    dock = state.dock() or ""
    if wait and not copy.settle(state):
        now = copy.status(state)
        why = now.why if now and now.why else "no workbench of it is attended here at the moment"
        why = why.rstrip(".")
        raise DockError(f"Not everything is on both sides: {why}.", "`run-notebook` attends it again.")
    now = copy.status(state) or copy.Status(phase="ended")
    kept = copy.kept(state)
    if json:
        click.echo(json_.dumps({"name": state.folder.name, "dock": dock, "kept": kept, **asdict(now)}))
        return
    click.echo(f"{state.folder.name} on {dock}: {_phase(now, kept=kept)}")
    for title, names in (("Changed on both sides, both kept", now.conflicts), ("Not copied", now.failed)):
        if names:
            click.echo(f"{title}:")
            click.echo("\n".join(f"  {each}" for each in names))


def _phase(now: "Status", *, kept: bool) -> str:
    from workbench import show

    ago = f"the same {show.duration(time.time() - now.same)} ago" if now.same else "never the same yet"
    if not kept:
        return f"not attended; {ago}"
    if now.phase == "live":
        return "the same, both ways"
    return f"{now.phase}; {ago}{f'; {now.why}' if now.why else ''}"

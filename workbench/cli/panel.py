"""`workbench panel`: whether the panel in the notebook can do what it offers."""

import json as json_
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from workbench.cli.completion import running
from workbench.cli.helped import Command

if TYPE_CHECKING:
    from workbench.agent.process import Who
    from workbench.workbenches import Found


@click.command(
    "panel", cls=Command, examples=("", "--repair", "~/analysis --json  # that of another folder, for programs")
)
@click.argument("name", required=False, default=".", shell_complete=running)
@click.option("--repair", is_flag=True, help="Start the agent where it is gone.")
@click.option("--json", is_flag=True, help="One JSON document on standard output.")
def panel_command(name: str, repair: bool, json: bool) -> int:
    """Say whether the panel of a running workbench can control it.

    For that an agent has to serve it, a process on this machine. The exit code is 1 when there is none.
    """
    from workbench.agent import process
    from workbench.workbenches import only

    with only(name) as found:
        if repair:
            _repair(found)
        who = process.alive(found.state)
        click.echo(json_.dumps(_described(found, who)) if json else _told(found, who))
        return 0 if who else 1


def _repair(found: "Found") -> None:
    from workbench import approved
    from workbench.agent import process
    from workbench.errors import EngineError

    kept = approved.read(found.state)
    if kept and kept.settings.as_is:
        raise EngineError(
            f"{found.running.name} runs an image as it is, without the parts that a panel needs.",
            "`run-notebook --no-as-is --restart` adds them.",
        )
    process.begin(found.state, found.running.engine)
    if process.wait(found.state, there=True) is None:
        raise EngineError("The agent does not start.", f"Its log: {found.state.folder / process.LOG}")


def _described(found: "Found", who: "Who | None") -> dict[str, object]:
    return {"name": found.running.name, "agent": asdict(who) if who else None, "log": str(_log(found))}


def _told(found: "Found", who: "Who | None") -> str:
    import time

    from workbench import show

    if who is None:
        return f"{found.running.name}: no agent serves it. `workbench panel --repair` starts one."
    how = "with run-notebook in the foreground" if who.attached else "by itself"
    up = show.duration(time.time() - who.since)
    return f"{found.running.name}: its agent runs {how}, process {who.pid}, for {up}. Log: {_log(found)}"


def _log(found: "Found") -> object:
    from workbench.agent import process

    return found.state.folder / process.LOG

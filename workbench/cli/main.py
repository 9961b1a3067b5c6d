"""`workbench`: see and control what runs. Commands are listed here and imported when called."""

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from workbench import __version__
from workbench.cli.helped import HELP, Command, Group

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "ps": ("lifecycle", "List workbenches."),
    "url": ("lifecycle", "Print a workbench's URL."),
    "open": ("lifecycle", "Open a workbench in the browser."),
    "logs": ("lifecycle", "Show the server's log."),
    "stats": ("lifecycle", "Show what workbenches use."),
    "exec": ("lifecycle", "Run a command inside."),
    "shell": ("lifecycle", "Open a shell inside."),
    "stop": ("lifecycle", "Stop a workbench, keeping what was installed in it."),
    "restart": ("lifecycle", "Stop and start it again, as it was approved."),
    "rm": ("lifecycle", "Remove a stopped workbench and its HOME."),
    "panel": ("panel", "Say whether a panel can control its workbench, and mend it."),
    "diffs": ("diffs", "Write, check or watch the reviewable copies of notebooks."),
    "diff": ("diffs", "Show what git says has changed in a notebook."),
    "build": ("images", "Build images of the project."),
    "run": ("images", "Start a container of an image of the project."),
    "publish": ("images", "Push an image of the project to its registry."),
    "pull": ("images", "Fetch an image of the project from where it is published."),
    "transfer": ("images", "Send an image to another machine, without the layers that are there."),
    "images": ("images", "List the project's images, and what changed since they were built."),
    "toolchain": ("toolchain", "Images of the project that share volumes: start them, run in them, end them."),
    "compose": ("toolchain", "Write the project's toolchain as a Compose file."),
    "services": ("services", "Show and control the services beside a workbench."),
    "dock": ("dock", "Other machines whose engines are used from here, over ssh."),
    "sync": ("sync", "Show how a project and its copy on a dock are kept the same."),
    "tutorial": ("tutorial", "Learn it, in notebooks that check what you do."),
    "prune": ("prune", "Remove what no workbench needs any more."),
    "doctor": ("doctor", "Say what a launch would find here, and how to fix what is missing."),
    "config": ("configuration", "Show the effective configuration and its schema."),
    "completion": ("completion", "Print the script that completes our commands in a shell."),
}


class _Late(Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"workbench.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The same for a shell: one that completes must not wait for every module."""
        from click.shell_completion import CompletionItem

        found = [(name, line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=line) for name, line in found),
            *Command.shell_complete(self, ctx, incomplete),
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=_Late,
    context_settings=HELP,
    examples=(
        "ps  # what runs",
        "logs --follow  # the log of this folder's workbench",
        "stop ~/analysis  # that of another folder",
        "doctor  # what is missing here, and how to mend it",
    ),
)
@click.version_option(__version__, "--version", prog_name="workbench")
def workbench() -> None:
    """See and control the workbenches of this machine. `run-notebook` starts one.

    NAME is a workbench's name (`workbench ps`) or a project folder; without it, this folder's workbench is meant.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """The `workbench` command."""
    from workbench.cli import edge

    arguments = list(argv if argv is not None else sys.argv[1:])
    edge.run(lambda: workbench(arguments, standalone_mode=False, prog_name="workbench"), json="--json" in arguments)

"""`workbench toolchain`, `workbench compose`: images of the project that share volumes, and the equal Compose file."""

import json as json_
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.cli import completion
from workbench.cli.helped import HELP, Group

if TYPE_CHECKING:
    from workbench.cli.terminal import Terminal
    from workbench.plan.words import Command as Words
    from workbench.toolchain import Ready

Command = TypeVar("Command", bound=Callable[..., Any])
HEAD = ("NAME", "IMAGE", "CONTAINER", "STATE")
TRUST = click.option("--trust", is_flag=True, help="Approve what the project's files ask of this machine.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the command of Compose, carry out none.")
JSON = click.option("--json", is_flag=True, help="One JSON document on standard output.")
IMAGES = click.argument("images", nargs=-1, metavar="[IMAGE…]", shell_complete=completion.tools)


def _shared(command: Command) -> Command:
    """The options that these commands have in common."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Errors only."),
        click.option("--verbose", "-v", count=True, help="Show the tools' own output."),
        click.option("--engine", type=click.Choice(["docker", "podman"]), help="Which engine; default: what answers."),
        click.option("--path", "-C", default=".", type=click.Path(path_type=Path), help="The project; default: here."),
    ):
        command = option(command)
    return command


@contextmanager
def _at_work(given: Mapping[str, Any]) -> "Iterator[tuple[Ready, Terminal]]":
    """The project's toolchain on the engine, and the terminal; signals end the work in order."""
    from workbench.cli.signals import as_interrupt
    from workbench.cli.terminal import ui
    from workbench.images.survey import environment, survey
    from workbench.toolchain import ready

    verbosity = -1 if given["quiet"] else given["verbose"]
    terminal = ui(verbosity, interactive=not given.get("json"), commands=not given["quiet"])
    environ = environment()
    with as_interrupt(), survey(given["path"], given["engine"] or "", environ) as found:
        yield ready(found, environ), terminal


@click.group(
    "toolchain",
    cls=Group,
    context_settings=HELP,
    examples=(
        "up  # start them all in the background",
        "run train -- bash  # a command in a container of its own",
        "down  # what is in folders stays",
    ),
)
def toolchain_command() -> None:
    """Images of the project that share volumes: start, run, end them.

    [tool.workbench.toolchain] says which they are; what they share lies below one folder.
    """


@toolchain_command.command("up", context_settings=HELP, examples=("", "prep train --build  # only these, built anew"))
@IMAGES
@click.option("--build", is_flag=True, help="Build the images in any case, not only those that are missing.")
@TRUST
@DRY_RUN
@JSON
@_shared
def up(images: tuple[str, ...], **given: Any) -> None:
    """Start a container of each image in the background.

    Images that are not here are built.
    """
    from workbench import toolchain

    with _at_work(given) as (ready, terminal):
        if given["dry_run"]:
            wanted = toolchain.chosen(ready, images)
            _print(ready, wanted, toolchain.up_words(wanted))
            return
        toolchain.up(ready, images, terminal, rebuild=given["build"], trusted=given["trust"])
        if given["json"]:
            _json(ready)
        else:
            terminal.note("Started. What they say: workbench toolchain logs   They end with: workbench toolchain down")


@toolchain_command.command(
    "run", context_settings=HELP, examples=("train  # the image's own command", "train -- python train.py --epochs 3")
)
@click.argument("image", shell_complete=completion.tools)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGS…]]")
@TRUST
@DRY_RUN
@_shared
def run(image: str, command: tuple[str, ...], **given: Any) -> int:
    """Run a command in a container of its own of an image.

    It has this terminal, and its exit code is that of the command. Without a command it is the image's own.
    """
    from workbench import toolchain

    with _at_work(given) as (ready, terminal):
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        container = toolchain.container_name(ready, image)
        words = toolchain.run_words(image, command, container, tty=tty)
        if given["dry_run"]:
            _print(ready, [image], words)
            return 0
        return toolchain.run(ready, image, words, container, terminal, trusted=given["trust"])


@toolchain_command.command("down", context_settings=HELP, examples=("", "--volumes  # with named volumes"))
@click.option("--volumes", is_flag=True, help="Remove named volumes as well.")
@DRY_RUN
@_shared
def down(**given: Any) -> None:
    """Remove the containers, their network, and what was in memory.

    Folders of the project stay.
    """
    from workbench import toolchain

    with _at_work(given) as (ready, terminal):
        if given["dry_run"]:
            _print(ready, (), toolchain.down_words(volumes=given["volumes"]))
            return
        toolchain.down(ready, terminal, volumes=given["volumes"])


@toolchain_command.command("ls", context_settings=HELP, examples=("", "--json  # for programs"))
@JSON
@_shared
def ls(**given: Any) -> None:
    """Show whether each image is built, and its containers."""
    from workbench import toolchain
    from workbench.cli.terminal import table

    with _at_work(given) as (ready, _):
        if given["json"]:
            _json(ready)
            return
        rows = (
            (each.name, each.image if each.built else f"{each.image} (not built)", each.container or "-", each.state)
            for each in toolchain.states(ready)
        )
        table(HEAD, ((*row[:3], row[3] or "-") for row in rows))


@toolchain_command.command("logs", context_settings=HELP, examples=("", "train --follow"))
@IMAGES
@click.option("--follow", "-f", is_flag=True, help="Go on until the containers end.")
@_shared
def logs(images: tuple[str, ...], **given: Any) -> int:
    """Show what the containers have written."""
    from workbench import toolchain

    with _at_work(given) as (ready, _):
        return toolchain.logs(ready, images, follow=given["follow"], tty=sys.stdout.isatty())


@click.group("compose", cls=Group, context_settings=HELP, examples=("export", "export -o compose.toolchain.yaml"))
def compose_command() -> None:
    """The project's toolchain for Compose by itself."""


@compose_command.command("export", context_settings=HELP, examples=("", "-o compose.toolchain.yaml"))
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="The file; default: print it.")
@_shared
def export(output: Path | None, **given: Any) -> None:
    """Write the toolchain as a Compose file that needs no Workbench.

    `docker compose up` then builds and starts the same.
    """
    from workbench import toolchain

    with _at_work(given) as (ready, terminal):
        folder = output.absolute().parent if output else ready.found.project.root
        text = toolchain.export(ready, folder)
        if output is None:
            click.echo(text, nl=False)
            return
        toolchain.write_export(output, text)
        terminal.note(f"Wrote {output}. Its first lines say how it is used.")


def _print(ready: "Ready", starting: Collection[str], words: "Words") -> None:
    """The commands, and the file that they read."""
    from workbench import toolchain
    from workbench.cli.planned import line

    toolchain.write(ready, starting)
    made = toolchain.volume_commands(ready) if starting else []
    click.echo("\n".join(map(line, [*made, toolchain.printed(ready, words)])))


def _json(ready: "Ready") -> None:
    from dataclasses import asdict

    from workbench.toolchain import states

    click.echo(json_.dumps([asdict(each) for each in states(ready)]))

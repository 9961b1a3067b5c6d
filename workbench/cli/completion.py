"""`workbench completion`: the script that completes our commands, and the values that are completed."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.helped import Command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from workbench.model import Project

Complete = Callable[[click.Context, click.Parameter, str], list["CompletionItem[str]"]]
QUICK = 0.05
"""Seconds that a port of this machine has to answer."""


@click.command(
    "completion",
    cls=Command,
    examples=(
        "bash  # see what would be read",
        "zsh > ~/.workbench.zsh  # then: source ~/.workbench.zsh",
        "fish | source  # for this shell only",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the script that completes our commands in a shell.

    To have it in every new shell, once:

    \b
      bash  echo 'eval "$(workbench completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(workbench completion zsh)"' >> ~/.zshrc
      fish  workbench completion fish > ~/.config/fish/conf.d/workbench.fish

    It completes commands, options, and values: names of workbenches, docks, images and services.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(f"click knows {shell}")
    command = context.find_root().command
    first, *others = (kind(command, {}, name, _variable(name)) for name in programs())
    # The first looks whether this bash is new enough, and says if not; once is enough.
    script = "\n".join([first.source(), *(each.source_template % each.source_vars() for each in others)])
    # Values and descriptions have commas of their own, at which click's words for fish would cut them.
    click.echo(script.replace('string split ","', 'string split --max 1 ","'))


def programs() -> list[str]:
    """The installed commands of this package."""
    from importlib.metadata import entry_points

    found = entry_points(group="console_scripts")
    return sorted({each.name for each in found if each.value.startswith("workbench.cli.")})


def _variable(program: str) -> str:
    """By which click hears that a program is to complete."""
    return f"_{program.replace('-', '_').upper()}_COMPLETE"


def quietly(values: Callable[[click.Context, str], Iterable[str]]) -> Complete:
    """Values that begin with what is typed. Whatever goes wrong, somebody who only typed a tab hears nothing of it."""

    def complete(context: click.Context, _: click.Parameter, typed: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        try:
            return [CompletionItem(value) for value in values(context, typed) if value.startswith(typed)]
        except Exception:
            return []

    return complete


def _named(values: Callable[[], Iterable[str]]) -> Complete:
    """Names of workbenches; folders, which may stand for them, once what is typed looks like one."""
    named = quietly(lambda *_: values())

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        if "/" in typed or typed.startswith((".", "~")):
            return [CompletionItem(typed, type="dir")]
        return named(context, parameter, typed)

    return complete


def _known(*, running: bool = False) -> Iterator[str]:
    """Workbenches as the state folder has them: no engine is asked, which could take long."""
    from workbench.state import State, docked, state_root

    far = {each.name for each in docked()}
    for path in sorted((state_root() / "workbenches").glob("*/seed.json")):
        name, seed = path.parent.name, State(path.parent).seed()
        if not running or name in far or (seed and _answers(seed.port)):
            yield name


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as each:
        each.settimeout(QUICK)
        return each.connect_ex(("127.0.0.1", port)) == 0


workbenches = _named(_known)
"""Every workbench that is known here."""
running = _named(lambda: _known(running=True))
"""Those whose port answers; those on docks in any case."""


@quietly
def docks(*_: object) -> Iterable[str]:
    """Every dock: those of the list, and Docker's contexts by ssh."""
    from workbench.docks.book import book

    return book().all()


@quietly
def listed_docks(*_: object) -> Iterable[str]:
    """Those of the list."""
    from workbench.docks.book import book

    return book().docks()


@quietly
def machines(*_: object) -> Iterable[str]:
    """Those of the list that are machines of a cloud."""
    from workbench.docks.book import book

    return (name for name, dock in book().docks().items() if dock.cloud)


@quietly
def images(context: click.Context, _: str) -> Iterable[str]:
    """The project's images."""
    from workbench.images import catalogue

    return catalogue.read(_project(context)).names


@quietly
def builds(context: click.Context, _: str) -> Iterable[str]:
    """The same, and the two words that `build` knows besides."""
    from workbench.images import catalogue

    return (*catalogue.read(_project(context)).names, "all", "clean")


@quietly
def tools(context: click.Context, _: str) -> Iterable[str]:
    """The images of the project's toolchain."""
    return [name for table in _said(context, "toolchain") for name in table.get("images", ())]


@quietly
def services(context: click.Context, _: str) -> Iterable[str]:
    """The services of the project."""
    return _services(context)


@quietly
def wanted_services(context: click.Context, typed: str) -> Iterable[str]:
    """The same for a list with commas: what stands before the last comma stays."""
    before, comma, _ = typed.rpartition(",")
    taken = before.split(",")
    return (f"{before}{comma}{name}" for name in (*_services(context), "all") if name not in taken)


@quietly
def lessons(context: click.Context, _: str) -> Iterable[str]:
    """The words of `workbench tutorial`, then names of lessons."""
    from workbench import tutorial

    verbs = () if context.params.get("words") else ("list", "check", "reset")
    return (*verbs, *(each.name for each in tutorial.lessons()))


@quietly
def devices(*_: object) -> Iterable[str]:
    """What can compute here: each GPU of NVIDIA's has a device."""
    found = sorted(Path("/dev").glob("nvidia[0-9]*"), key=lambda path: (len(path.name), path.name))
    return ("auto", "cpu", "gpu", *(f"gpu:{number}" for number, _ in enumerate(found)))


def _project(context: click.Context) -> "Project":
    """The project that the command line means so far."""
    from workbench import project

    each: click.Context | None = context
    while each and not each.params.get("path"):
        each = each.parent
    return project.find(Path(each.params["path"] if each else os.curdir))


def _said(context: click.Context, name: str) -> list[Any]:
    """What the project's files say for a setting."""
    from workbench import toml

    return [table[name] for _, _, table in toml.tables(_project(context)) if name in table]


def _services(context: click.Context) -> list[str]:
    """What the settings name, and what stands in the Compose file as it is written: Compose is not asked."""
    import yaml

    from workbench.services.source import NAMES

    found = [name for said in _said(context, "services") for name in said]
    root = _project(context).root
    for path in [root / name for name in NAMES if (root / name).is_file()][:1]:
        # Nodes only: the tags that Compose has of its own mean nothing here.
        document = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
        top = document.value if isinstance(document, yaml.MappingNode) else []
        for key, node in top:
            if key.value == "services" and isinstance(node, yaml.MappingNode):
                found += [name.value for name, _ in node.value]
    return list(dict.fromkeys(found))

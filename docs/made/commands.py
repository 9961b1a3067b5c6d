"""Every program, and every command below `workbench`, with its options and examples."""

import importlib
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from made.text import block, escape, need, slug, table
from workbench.cli.main import workbench as everything

ROOT = Path(__file__).parents[2]


def commands() -> str:
    """Every program, and every command below `workbench`."""
    found = list(programs())
    below = {id(command): path for path, command in _walk("workbench", everything)}
    rows = [
        (f"`{name}`", "" if (path := below.get(id(command), name)) == name else f"[`{path}`](#{slug(path)})")
        for name, command in found
    ]
    own = [(name, command) for name, command in found if id(command) not in below]
    parts = [table(("program", "the same as"), rows)]
    parts += [_command(name, command) for name, command in own]
    parts += [_command(path, command) for path, command in _walk("workbench", everything)]
    return "\n\n".join(parts)


def programs() -> Iterator[tuple[str, click.Command]]:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name, target in scripts.items():
        module, _, function = target.partition(":")
        home = importlib.import_module(module)
        # An entry point made from a command holds it; else the module has one of the program's name.
        held = inspect.getclosurevars(getattr(home, function)).nonlocals.get("command")
        named = (each for each in vars(home).values() if isinstance(each, click.Command) and each.name == name)
        yield name, need(held or next(named, None), name)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if command.hidden:
        return
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            yield from _walk(f"{path} {name}", need(command.get_command(context, name), f"{path} {name}"))


def _command(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, terminal_width=110, max_content_width=110)
    usage = command.get_usage(context).removeprefix("Usage: ")
    words = need(command.help, path).replace("\b\n", "")
    parts = [f"{'##' if ' ' not in path else '###'} {path}", inspect.cleandoc(escape(words))]
    parts.append(block("text", "\n".join(line.strip() for line in usage.splitlines())))
    rows = [_option(path, each, context) for each in command.params if isinstance(each, click.Option)]
    if rows := [row for row in rows if row]:
        parts.append(table(("option", "meaning"), rows))
    if isinstance(command, click.Group):
        names = [(f"[`{name}`](#{slug(f'{path} {name}')})", escape(line)) for name, line in _lines(path, command)]
        parts.append(table(("command", "what it does"), names))
    examples = [example.partition("#") for example in getattr(command, "examples", ())]
    if examples:
        lines = [
            f"{path} {typed.strip()}".rstrip() + (f"  # {why.strip()}" if why else "") for typed, _, why in examples
        ]
        parts.append(block("bash", "\n".join(lines)))
    return "\n\n".join(parts)


def _lines(path: str, group: click.Group) -> Iterator[tuple[str, str]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command and not command.hidden:
            yield name, command.get_short_help_str(200)


def _option(path: str, option: click.Option, context: click.Context) -> tuple[str, str] | None:
    if option.hidden or option.name == "version":
        return None
    written, words = need(option.get_help_record(context), f"{path} {option.opts[-1]}")
    return f"`{written}`".replace("|", "\\|"), escape(need(words, f"{path} {option.opts[-1]}"))

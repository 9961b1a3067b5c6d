"""What `--help` shows of every command on a terminal of 80 columns, and that its examples can be typed."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.person import MakePerson

from workbench.cli.genversion import genversion
from workbench.cli.main import workbench
from workbench.cli.notebook import run_notebook

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
COLUMNS = 80
ROOTS = {"workbench": workbench, "run-notebook": run_notebook, "genversion": genversion}


def tree(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, click.Context]]:
    """Every command below one, with the words by which it is called."""
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield context.command_path, context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found
            yield from tree(found, context, each)


COMMANDS = {path: context for name, root in ROOTS.items() for path, context in tree(root, None, name)}


def examples(text: str) -> list[str]:
    """The lines below the last heading of a help."""
    _, heading, block = text.rpartition("\nExamples:\n")
    assert heading, text
    return [line.strip() for line in block.strip().splitlines()]


def words(example: str) -> list[str]:
    """What a command of our own is given, as a shell reads the line."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    found = list(lexer)
    return found[: next((number for number, word in enumerate(found) if word in "|>"), None)]


def check(path: str, text: str) -> None:
    assert all(len(line) <= COLUMNS for line in text.splitlines()), text
    usage, summary, *_ = [part.strip() for part in re.split(r"\n\s*\n", text)]
    assert usage.startswith(f"Usage: {path}"), usage
    # One line says what it does; groups list their commands by these lines, whole.
    assert len(summary.splitlines()) == 1 and summary.endswith("."), summary
    assert "..." not in text.partition("\nCommands:\n")[2], text
    shown = examples(text)
    assert 1 <= len(shown) <= 4
    for line in shown:
        assert line == path or line.startswith(f"{path} "), line


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_helps(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    context = COMMANDS[path]
    check(path, context.command.get_help(click.Context(context.command, context.parent, context.info_name)))


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_program_helps(name: str, somebody: MakePerson) -> None:
    me = somebody("local")
    check(name, me.run(name, "--help", env={"COLUMNS": str(COLUMNS)}).ok().out)
    assert not list(me.home.rglob("*"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_example_can_be_typed(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []
    for context in COMMANDS.values():
        monkeypatch.setattr(
            context.command, "callback", lambda *_, here=context.command_path, **__: reached.append(here)
        )
    for line in examples(COMMANDS[path].get_help()):
        program, *given = words(line)
        reached.clear()
        # Nothing but the deeds is left out: what click refuses, it refuses.
        ROOTS[program].main(given, prog_name=program, standalone_mode=False)
        assert reached and reached[-1].startswith(path), (line, reached)

"""Commands whose `--help` ends with examples."""

from collections.abc import Sequence
from typing import Any

import click

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Settings of a command that has a program of its own; those below a group have the group's."""


class Command(click.Command):
    """A command with examples: what follows its own name, and after `#` what that is for."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As typed, under the name by which the command was called."""
        pairs = [example.partition("#") for example in self.examples]
        typed = [(f"{ctx.command_path} {words.strip()}".rstrip(), why.strip()) for words, _, why in pairs]
        width = max((len(words) for words, why in typed if why), default=0)
        with formatter.section("Examples"):
            for words, why in typed:
                formatter.write(f"  {words.ljust(width)}  # {why}\n" if why else f"  {words}\n")


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command

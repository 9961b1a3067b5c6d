"""What a launch says on a terminal: bars and steps where there is one, plain lines elsewhere. All on standard error."""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from workbench import show
from workbench.model import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


PATIENCE = 10.0
"""Seconds after which plain lines say again how far a step is."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output: no wider than the terminal, and whole where there is none."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(show.table(head, rows, width))


def ui(verbosity: int, *, interactive: bool = True, commands: bool = False) -> "Terminal":
    """The fitting one for this standard error; `verbosity` below 0 says errors only, above 0 the tools' own words.

    `commands`: show those that are carried out in any case but the first.
    """
    can_move = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    kind = Quiet if verbosity < 0 else Rich if interactive and can_move else Terminal
    return kind(verbosity, commands=commands or verbosity > 0)


class Terminal:
    """Plain lines."""

    def __init__(self, verbosity: int, *, commands: bool = False) -> None:
        self.verbosity = verbosity
        self.commands = commands

    def note(self, text: str) -> None:
        """One line on standard error."""
        click.echo(text, err=True)

    def command(self, argv: tuple[str, ...]) -> None:
        """Where commands are shown, as a shell would read it."""
        if self.commands:
            from workbench.cli.planned import line

            self.note(f"$ {line(argv)}")

    def work(self, events: Iterator[Event]) -> None:
        """A line for each step begun and ended; the tools' own words with `-v`."""
        said = time.monotonic()
        for news in events:
            line = f"    {news.text}" if news.kind == "output" and self.verbosity > 0 else show.event(news)
            if news.kind == "progress" and time.monotonic() - said > PATIENCE:
                so_far = f": {show.size(news.done)} of {show.size(news.total)}" if news.total else " …"
                line = f"  {show.step(news.text) or news.text}{so_far}"
            if line is not None:
                self.note(line)
                said = time.monotonic()

    def ask(self, question: str) -> bool | None:
        """Nobody to ask unless both ends are a terminal."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        click.echo(f"{question} [y/N] ", nl=False, err=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")


class Quiet(Terminal):
    """Errors and questions only."""

    def note(self, text: str) -> None:
        """Nothing."""

    def work(self, events: Iterator[Event]) -> None:
        """Do the work silently."""
        for _ in events:
            pass


class Rich(Terminal):
    """A bar or spinner for each step that is under way, its time once it is done."""

    def work(self, events: Iterator[Event]) -> None:
        """Draw the events until the work ends."""
        first = next(events, None)
        if first is None:
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
        )
        from rich.console import Console

        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            board = _Board(progress, self.verbosity)
            board.show(first)
            for news in events:
                board.show(news)


class _Board:
    """The tasks on the screen, by step."""

    def __init__(self, progress: "Progress", verbosity: int) -> None:
        self.progress = progress
        self.verbosity = verbosity
        self.tasks: dict[str, TaskID] = {}
        self.begun: dict[str, float] = {}

    def show(self, news: Event) -> None:
        """One event."""
        if news.kind == "step":
            if name := show.step(news.text):
                self.tasks[news.step] = self.progress.add_task(name, total=None, amount="")
                self.begun[news.step] = time.monotonic()
        elif news.kind == "progress":
            self._move(news)
        elif news.kind == "output":
            self._output(news)
        else:
            self._end(news)

    def _move(self, news: Event) -> None:
        if (task := self.tasks.get(news.step)) is not None:
            seconds = time.monotonic() - self.begun[news.step]
            rate = f", {show.rate(news.done, seconds)}" if seconds > 1 else ""
            amount = f"{show.size(news.done)} / {show.size(news.total)}{rate}" if news.total > 1000 else ""
            self.progress.update(task, completed=news.done, total=news.total or None, amount=amount)

    def _output(self, news: Event) -> None:
        if self.verbosity > 0:
            self.progress.console.print(f"    {news.text}", markup=False, highlight=False)
        elif (task := self.tasks.get(news.step)) is not None:
            self.progress.update(task, amount=news.text.strip()[:48])

    def _end(self, news: Event) -> None:
        task = self.tasks.pop(news.step, None)
        begun = self.begun.pop(news.step, None)
        if task is not None:
            self.progress.remove_task(task)
        seconds = news.seconds if news.seconds is not None or begun is None else time.monotonic() - begun
        mark = {"done": "✓", "failed": "✗", "note": "•"}.get(news.kind)
        name = news.text if news.kind == "note" else show.step(news.text)
        if mark and name and (news.kind != "done" or (seconds or 0) >= show.SHORT):
            taken = f" ({show.duration(seconds)})" if news.kind == "done" else ""
            self.progress.console.print(f"{mark} {name}{taken}", markup=False, highlight=False)

"""`workbench tutorial`: lessons in notebooks."""

import json as json_
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli import completion, helped

if TYPE_CHECKING:
    from workbench.tutorial import Lesson

HEAD = ("", "LESSON", "MINUTES", "DONE")


@click.command(
    "tutorial",
    cls=helped.Command,
    context_settings={**helped.HELP, "ignore_unknown_options": True},
    examples=(
        "  # the lessons, and how far you are",
        "02  # begin a lesson, or go on with it",
        "check 02  # what is done, and what is left",
        "reset 02  # begin it anew; what you did is kept aside",
    ),
)
@click.argument(
    "words",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[list | LESSON | check LESSON | reset LESSON]",
    shell_complete=completion.lessons,
)
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="The folder of your copy.")
@click.option("--json", is_flag=True, help="JSON on standard output.")
def tutorial_command(words: tuple[str, ...], to: Path | None, json: bool) -> int:
    """Learn containers and Workbench, in notebooks that check what you do.

    LESSON is a number or a name. It is copied into a folder of yours (~/workbench-tutorial) and opened there; what you
    have done in it stays, whatever comes with a new version of Workbench. Further options are those of run-notebook.
    """
    from workbench import tutorial

    verb, *rest = words or ("list",)
    if verb == "list":
        _list(json=json)
        return 0
    if verb in ("check", "reset"):
        if len(rest) != 1:
            raise click.UsageError(f"Which lesson? workbench tutorial {verb} LESSON")
        lesson = tutorial.find(rest[0])
        folder = to or tutorial.place(lesson)
        if verb == "check":
            _check(lesson, folder, json=json)
        else:
            _reset(lesson, folder)
        return 0
    lesson = tutorial.find(verb)
    return _start(lesson, to or tutorial.place(lesson), [*rest, *(["--json"] if json else [])])


def _list(*, json: bool) -> None:
    from workbench import tutorial
    from workbench.cli.terminal import table

    found = [(each, tutorial.done(tutorial.place(each)) & {*each.exercises}) for each in tutorial.lessons()]
    if json:
        click.echo(json_.dumps([_told(each, done) for each, done in found]))
        return
    rows = (
        (each.number, each.title, str(each.minutes), f"{len(done)} of {len(each.exercises)}" if each.exercises else "-")
        for each, done in found
    )
    table(HEAD, rows)
    click.echo("Begin one, or go on with it: workbench tutorial 01", err=True)


def _told(lesson: "Lesson", done: Iterable[int]) -> dict[str, object]:
    keys = ("name", "title", "summary", "minutes", "engines", "exercises")
    return {**{key: getattr(lesson, key) for key in keys}, "done": sorted(done)}


def _start(lesson: "Lesson", folder: Path, options: list[str]) -> int:
    from workbench import tutorial
    from workbench.cli.notebook import run_notebook

    for sentence in tutorial.copy(lesson, folder):
        click.echo(sentence, err=True)
    click.echo(f"{lesson.number} {lesson.title}: {folder}", err=True)
    if lesson.asks:
        click.echo(lesson.asks.strip(), err=True)
    code = run_notebook([str(folder / lesson.notebook), *options], standalone_mode=False, prog_name="run-notebook")
    return code if isinstance(code, int) else 0


def _check(lesson: "Lesson", folder: Path, *, json: bool) -> None:
    from workbench import tutorial

    done = tutorial.done(folder)
    if json:
        click.echo(json_.dumps(_told(lesson, done & {*lesson.exercises})))
        return
    for number in lesson.exercises:
        click.echo(f"{'✓' if number in done else '·'} exercise {number}")
    left = [number for number in lesson.exercises if number not in done]
    click.echo("The lesson is complete." if not left else f"{len(left)} to go; its notebook says what is missing.")


def _reset(lesson: "Lesson", folder: Path) -> None:
    from workbench import tutorial

    aside = tutorial.reset(lesson, folder)
    kept = f" What you had is in {aside}." if aside else ""
    click.echo(f"{folder} is as at the beginning.{kept}", err=True)

"""Exercises of a lesson, in its notebook: `check(1)` says what is still missing. Standard library only.

A lesson keeps its exercises in `.lesson/exercises.py`, beside the notebook: a function `exercise_N` for each, which
takes what the notebook has defined and returns what is missing, or nothing. Its docstring is the hint.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".lesson"
PROGRESS = "progress.json"
Exercise = Callable[["Mapping[str, Any]"], "str | None"]


class Names(dict):  # type: ignore[type-arg]  # of Python 3.9
    """What a notebook has defined. A name that is missing, or still `...`, is what is missing."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if value is ...:
            raise Missing(f"`{name}` is still `...`: put your answer there.")
        return value

    def __missing__(self, name: str) -> Any:
        raise Missing(f"`{name}` is not defined yet: run the cell that does.")


class Missing(Exception):
    """What an exercise still needs, as a sentence."""


def check(number: int) -> None:
    """Look at an exercise: say that it is done, or what is missing, and how far the lesson is."""
    folder = _folder()
    exercises = _exercises(folder)
    exercise = _one(exercises, number)
    missing = _missing(exercise)
    done = progress(folder)
    if missing:
        _say(f"✗ Exercise {number}: {missing}")
        _say(f"  lesson.hint({number}) helps; lesson.solution({number}) shows one way.")
        return
    done.add(number)
    _write(folder, done)
    left = [each for each in exercises if each not in done]
    _say(f"✓ Exercise {number} is done. {len(exercises) - len(left)} of {len(exercises)}{_rest(left)}")


def hint(number: int) -> None:
    """Say what helps with an exercise."""
    _say(inspect.getdoc(_one(_exercises(_folder()), number)) or "There is no hint: look at the cells above.")


def solution(number: int) -> None:
    """Show one way to do an exercise."""
    folder = _folder()
    _one(_exercises(folder), number)
    file = folder / "solutions" / f"{number}.py"
    _say(file.read_text(encoding="utf-8").rstrip() if file.is_file() else "There is none: any way that works is right.")


def progress(folder: Path) -> set[int]:
    """The exercises that were done, from what a lesson's folder keeps."""
    try:
        found = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {each for each in found if isinstance(each, int)} if isinstance(found, list) else set()


def numbers(folder: Path) -> list[int]:
    """The exercises that a lesson has, without carrying anything out."""
    try:
        text = (folder / "exercises.py").read_text(encoding="utf-8")
    except OSError:
        return []
    return sorted(int(each) for each in re.findall(r"^def exercise_(\d+)\(", text, re.MULTILINE))


def _folder() -> Path:
    here = Path.cwd()
    for each in (here, *here.parents):
        if (each / FOLDER).is_dir():
            return each / FOLDER
    raise RuntimeError(f"No lesson is here: {here} has no folder {FOLDER}. `workbench tutorial` copies one.")


def _exercises(folder: Path) -> dict[int, Exercise]:
    specification = importlib.util.spec_from_file_location("_lesson_exercises", folder / "exercises.py")
    if specification is None or specification.loader is None:
        raise RuntimeError(f"{folder / 'exercises.py'} cannot be read.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {number: getattr(module, f"exercise_{number}") for number in numbers(folder)}


def _one(exercises: Mapping[int, Exercise], number: int) -> Exercise:
    if number not in exercises:
        raise ValueError(f"There is no exercise {number}; there are {', '.join(map(str, exercises))}.")
    return exercises[number]


def _missing(exercise: Exercise) -> str | None:
    try:
        return exercise(Names(_defined()))
    except Missing as missing:
        return str(missing)
    except Exception as error:  # whatever an answer makes of the check, the student reads it
        return f"the check ended with {type(error).__name__}: {error}"


def _defined() -> Mapping[str, Any]:
    """What the notebook has defined."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell.user_ns if shell else vars(sys.modules["__main__"])


def _rest(left: list[int]) -> str:
    return f"; next: {left[0]}." if left else ": the lesson is complete."


def _write(folder: Path, done: set[int]) -> None:
    try:
        (folder / PROGRESS).write_text(json.dumps(sorted(done)), encoding="utf-8")
    except OSError as error:
        _say(f"  It cannot be remembered: {error}")


def _say(text: str) -> None:
    print(text)  # noqa: T201 - it is what a cell shows

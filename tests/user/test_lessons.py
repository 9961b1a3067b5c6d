"""Every lesson as a student works through it: copied, opened, first left unfinished, then done.

The cells go to a kernel of the running workbench over its websocket, as a browser sends them. nbval would start a
kernel on this machine instead, which is neither in the container nor knows of its server; what it compares is compared
here.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.kernel import Kernel
from support.person import MakePerson, Person, Workbench

from workbench import tutorial
from workbench.tutorial import Lesson

LIMIT = 120.0
"""Seconds that all cells of a lesson may take together."""
CHECK = re.compile(r"lesson\.check\((\d+)\)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
ENGINES = ("docker", "local")
CASES = [(engine, each) for each in tutorial.lessons() for engine in ENGINES if engine in each.engines]
# Podman differs in how a workbench is run, not in what a lesson says: the first one stands for all.
CASES += [("podman", tutorial.lessons()[0])]

PREPARE: dict[str, Callable[[Person, Path], tuple[str, ...]]] = {}
"""For a lesson that needs more: what is done in its copy before it starts, and the further options of its launch."""


@dataclass(frozen=True)
class Cell:
    """A code cell of a lesson."""

    id: str
    source: str
    tags: tuple[str, ...]

    @property
    def exercise(self) -> int | None:
        """The exercise that is done in it."""
        return next((int(tag.removeprefix("exercise-")) for tag in self.tags if tag.startswith("exercise-")), None)

    @property
    def checks(self) -> int | None:
        """The exercise that it checks."""
        found = CHECK.search(self.source)
        return int(found[1]) if found else None


def cells(notebook: Path) -> list[Cell]:
    """The code cells of a notebook."""
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        Cell(each["id"], "".join(each["source"]), tuple(each["metadata"].get("tags", ())))
        for each in found
        if each["cell_type"] == "code"
    ]


def solution(folder: Path, number: int) -> str:
    """One way to do an exercise, as the student may look it up."""
    return (folder / f".lesson/solutions/{number}.py").read_text(encoding="utf-8")


def walk(bench: Workbench, lesson: Lesson, *, solved: bool) -> dict[str, str]:
    """Run all cells in one kernel; what each has printed. Fails the test when one of them fails."""
    shown = {}
    with bench.jupyter.kernel(path=lesson.notebook) as kernel:
        for cell in cells(bench.project / lesson.notebook):
            done = solution(bench.project, cell.exercise) if solved and cell.exercise else cell.source
            shown[cell.id] = _run(kernel, cell, done)
    return shown


def _run(kernel: Kernel, cell: Cell, source: str) -> str:
    ran = kernel.run(source)
    assert not ran.error, "\n".join([f"{cell.id}: {ran.error}", source, *ran.traceback])
    return COLOUR.sub("", ran.text.replace("\r\n", "\n"))


def checked(bench: Workbench, lesson: Lesson, shown: Mapping[str, str]) -> dict[int, str]:
    """What each check has said."""
    said = {each.checks: shown[each.id] for each in cells(bench.project / lesson.notebook) if each.checks}
    assert sorted(filter(None, said)) == lesson.exercises
    return {number: said[number] for number in lesson.exercises}


def compare(bench: Workbench, lesson: Lesson, shown: Mapping[str, str]) -> None:
    """Hold what cells with the tag `compare` have shown against what the lesson's author saw."""
    wanted = [each.id for each in cells(bench.project / lesson.notebook) if "compare" in each.tags]
    kept = bench.project / ".lesson/expected.json"
    expected = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    assert {name: shown[name] for name in wanted} == expected


def leave(lesson: Lesson, engine: str, seconds: float, shown: Mapping[str, str]) -> None:
    """Leave for people what a student reads, for the author's eye and for `expected.json`."""
    file = Path(os.environ["WORKBENCH_TEST_OUTPUT"]) / f"lesson-{lesson.number}-{engine}.json"
    told = {"seconds": round(seconds, 1), "shown": dict(shown)}
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize(("engine", "lesson"), CASES, ids=[f"{engine}-{each.number}" for engine, each in CASES])
def test_a_lesson(engine: str, lesson: Lesson, somebody: MakePerson) -> None:
    me = somebody(engine, normal=True)
    bench = begin(me, lesson)

    missing = checked(bench, lesson, walk(bench, lesson, solved=False))
    for number, said in missing.items():
        assert said.startswith(f"✗ Exercise {number}: "), said
        assert "the check ended with" not in said and f"lesson.hint({number})" in said, said
        # A sentence that helps, not a word.
        assert len(said.splitlines()[0].split()) > 6, said
    left = len(lesson.exercises)
    assert f"{left} to go" in check(me, bench, lesson)

    began = time.monotonic()
    shown = walk(bench, lesson, solved=True)
    took = time.monotonic() - began
    leave(lesson, engine, took, {**{f"exercise {number}": said for number, said in missing.items()}, **shown})
    for number, said in checked(bench, lesson, shown).items():
        assert f"✓ Exercise {number} is done. {number} of {left}" in said, said
    compare(bench, lesson, shown)
    assert "The lesson is complete." in check(me, bench, lesson)
    assert took < LIMIT, f"{took:.0f} s"


def begin(me: Person, lesson: Lesson) -> Workbench:
    """Begin a lesson as a student does; the workbench that runs then."""
    folder = me.home / "lessons" / lesson.name
    options = ["-d", "--no-browser"]
    if lesson.name in PREPARE:
        # Copies it, and starts nothing.
        me.run("workbench", "tutorial", "reset", lesson.number, "--to", folder).ok()
        options += PREPARE[lesson.name](me, folder)
    told = me.run("workbench", "tutorial", lesson.number, "--to", folder, *options).ok()
    assert f"{lesson.number} {lesson.title}: {folder}" in told.err
    bench = me.launch(folder)
    assert bench.project == folder
    return bench


def check(me: Person, bench: Workbench, lesson: Lesson) -> str:
    """What `workbench tutorial check` says of the copy."""
    return me.run("workbench", "tutorial", "check", lesson.number, "--to", bench.project).ok().out

"""What a check says, in a program of its own as in a notebook; and what the checks of lessons say of wrong answers."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench import tutorial
from workbench.notebook.lesson import Names, numbers, progress

ROOT = Path(__file__).parents[2]
EXERCISES = '''
def exercise_1(names):
    """Two and two."""
    if names["answer"] != 4:
        return f"{names['answer']} is not it."


def exercise_2(names):
    return names["nothing"]


def exercise_3(names):
    raise OSError("no such file")


def helper(names):
    return "never asked"
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lesson with three exercises, of which the first can be done."""
    (tmp_path / ".lesson/solutions").mkdir(parents=True)
    (tmp_path / ".lesson/exercises.py").write_text(EXERCISES)
    (tmp_path / ".lesson/solutions/1.py").write_text("answer = 4\n")
    return tmp_path


def said(folder: Path, *lines: str) -> str:
    """What a program in a folder prints; fails the test when it fails."""
    ran = run(folder, *lines)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def run(folder: Path, *lines: str) -> "subprocess.CompletedProcess[str]":
    code = "\n".join(["from workbench.notebook import lesson", *lines])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)


def test_a_check_says_what_is_missing_until_it_is_done(folder: Path) -> None:
    check = "lesson.check(1)"
    assert said(folder, check).startswith("✗ Exercise 1: `answer` is not defined yet: run the cell that does.")
    assert said(folder, "answer = ...", check).startswith("✗ Exercise 1: `answer` is still `...`")
    assert said(folder, "answer = 5", check).splitlines() == [
        "✗ Exercise 1: 5 is not it.",
        "  lesson.hint(1) helps; lesson.solution(1) shows one way.",
    ]
    assert progress(folder / ".lesson") == set()
    assert said(folder, "answer = 4", check) == "✓ Exercise 1 is done. 1 of 3; next: 2.\n"
    assert progress(folder / ".lesson") == {1}
    # What was done stays done.
    assert said(folder, "answer = 5", check).startswith("✗")
    assert progress(folder / ".lesson") == {1}


def test_the_last_one_completes_the_lesson(folder: Path) -> None:
    (folder / ".lesson/progress.json").write_text("[1, 3]")
    assert (
        said(folder, "nothing = None", "lesson.check(2)") == "✓ Exercise 2 is done. 3 of 3: the lesson is complete.\n"
    )


def test_a_check_that_fails_says_so_without_a_traceback(folder: Path) -> None:
    assert "✗ Exercise 3: the check ended with OSError: no such file" in said(folder, "lesson.check(3)")


def test_a_lesson_is_found_from_a_folder_in_it(folder: Path) -> None:
    (folder / "data/raw").mkdir(parents=True)
    assert said(folder / "data/raw", "answer = 4", "lesson.check(1)").startswith("✓")


def test_hints_and_solutions(folder: Path) -> None:
    assert said(folder, "lesson.hint(1)") == "Two and two.\n"
    assert "look at the cells above" in said(folder, "lesson.hint(2)")
    assert said(folder, "lesson.solution(1)") == "answer = 4\n"
    assert "any way that works is right" in said(folder, "lesson.solution(2)")


def test_what_is_no_exercise_and_no_lesson(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert numbers(folder / ".lesson") == [1, 2, 3]
    assert "ValueError: There is no exercise 4; there are 1, 2, 3." in run(folder, "lesson.check(4)").stderr
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert "`workbench tutorial` copies one" in run(elsewhere, "lesson.check(1)").stderr
    assert numbers(elsewhere) == []


@pytest.mark.parametrize("kept", ["", "{}", "null", '["1", 2.5]'])
def test_progress_that_cannot_be_read_is_none(folder: Path, kept: str) -> None:
    (folder / ".lesson/progress.json").write_text(kept)
    assert progress(folder / ".lesson") == set()
    assert said(folder, "answer = 4", "lesson.check(1)").startswith("✓ Exercise 1 is done. 1 of 3")


def truth(number: str) -> dict[str, Any]:
    """The right answers to a lesson's last question, by its solution."""
    lesson = tutorial.find(number)
    defined: dict[str, Any] = {}
    last = lesson.folder / f".lesson/solutions/{lesson.exercises[-1]}.py"
    exec(compile(last.read_text(), last, "exec"), defined)  # noqa: S102 - our own file
    [answers] = [value for name, value in defined.items() if isinstance(value, dict) and name != "__builtins__"]
    return answers


def asked(number: str, exercise: int, **defined: object) -> str:
    """What a shipped check says is missing; empty when it is satisfied."""
    file = tutorial.find(number).folder / ".lesson/exercises.py"
    specification = importlib.util.spec_from_file_location("exercises", file)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return getattr(module, f"exercise_{exercise}")(Names(defined)) or ""


QUESTIONS = [("01", 4, "survives"), ("04", 4, "needed"), ("06", 4, "seen"), ("10", 5, "promises")]


@pytest.mark.parametrize(("number", "exercise", "name"), QUESTIONS, ids=[each[0] for each in QUESTIONS])
def test_each_question_has_one_right_answer(number: str, exercise: int, name: str) -> None:
    right = truth(number)
    assert asked(number, exercise, **{name: right}) == ""
    others = {*right.values(), False, True} if isinstance(next(iter(right.values())), bool) else {*right.values()}
    for what, answer in right.items():
        for wrong in others - {answer}:
            assert f"think again about “{what}”" in asked(number, exercise, **{name: {**right, what: wrong}})
        assert f"for “{what}”" in asked(number, exercise, **{name: {**right, what: ...}})
        left = {key: value for key, value in right.items() if key != what}
        assert f"for “{what}”" in asked(number, exercise, **{name: left})


WRONG = [
    ("05", 2, {"device": lambda: "cpu"}, "device() is 'cpu', and should be 'gpu'"),
    ("05", 2, {"device": lambda: "gpu" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"}, "is not set"),
    ("05", 2, {"device": "cpu"}, "should be a function"),
    ("05", 3, {"tables": "[tool.workbench.cpu"}, "this is no TOML yet"),
    ("05", 3, {"tables": 1}, "should be text"),
    (
        "05",
        3,
        {"tables": "[tool.workbench.cpu]\npackages = ['tensorflow-cpu==2.20.0']"},
        "no table [tool.workbench.gpu]",
    ),
    (
        "05",
        3,
        {"tables": "[tool.workbench.cpu]\npackages = ['tensorflow']"},
        "and not for tensorflow-cpu==2.20.0 alone",
    ),
    ("10", 2, {"digest": "sha256:"}, "should be a function"),
    ("10", 2, {"digest": lambda path: path.name}, "for a file of 0 bytes"),
    ("10", 4, {"line": "menu:1.0"}, "begins with FROM"),
    ("10", 4, {"line": "FROM registry.example/menu@sha256:" + "0" * 64}, "in this order"),
    ("10", 4, {"line": "FROM registry.example/menu:1.0@sha256:" + "0" * 64, "first": "sha256:1"}, "of another image"),
]


@pytest.mark.parametrize(("number", "exercise", "defined", "reason"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(number: str, exercise: int, defined: Any, reason: str) -> None:
    before = {**os.environ}
    assert reason in asked(number, exercise, **defined)
    assert {**os.environ} == before

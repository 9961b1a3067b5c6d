"""Lessons as files: each that ships is whole; a student's copy is never overwritten, and begins anew on request."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import project, tutorial
from workbench.errors import ConfigError, ProjectError
from workbench.tutorial import Lesson

SHIPPED = tutorial.lessons()
MANIFEST = """
title = "A lesson"
summary = "What it is about"
minutes = 5
notebook = "a.ipynb"
engines = ["local"]
"""
EXERCISES = "def exercise_1(names):\n    return None\n\n\ndef exercise_2(names):\n    return None\n"


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A lesson with two exercises, which a test may change as a new version of Workbench would."""
    folder = tmp_path / "shipped/02-some-lesson"
    for name, text in {
        "lesson.toml": MANIFEST,
        "a.ipynb": "{}",
        "src/module.py": "one = 1\n",
        ".lesson/exercises.py": EXERCISES,
        ".lesson/progress.json": "[1]",
        "__pycache__/module.pyc": "",
        ".diffs/a.py": "",
    }.items():
        write(folder / name, text)
    return Lesson("02-some-lesson", "A lesson", "What it is about", 5, "a.ipynb", ("local",), folder)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def names(folder: Path) -> set[str]:
    """The files of a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("word", ["01", "1", "01-first-launch", "first", "LAUNCH"])
def test_a_lesson_is_found_by_number_and_by_word(word: str) -> None:
    assert tutorial.find(word).name == "01-first-launch"


def test_a_number_is_no_part_of_another() -> None:
    # "0" is in the name of every lesson, "1" in 01 and 10.
    assert tutorial.find("1").number == "01"
    assert tutorial.find("10").number == "10"


@pytest.mark.parametrize(("word", "nearest"), [("first-lunch", "first-launch"), ("0", ""), ("-", ""), ("nothing", "")])
def test_what_is_no_lesson_or_many_is_refused(word: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as refused:
        tutorial.find(word)
    assert repr(word) in str(refused.value)
    assert nearest in str(refused.value.hint)


def test_a_copy_has_the_lesson_and_nothing_that_others_left_in_it(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine/02"
    assert tutorial.copy(lesson, target) == []
    assert names(target) == {"lesson.toml", "a.ipynb", "src/module.py", ".lesson/exercises.py", ".lesson/copied.json"}
    assert tutorial.done(target) == set()
    assert lesson.exercises == [1, 2]


def test_a_copy_has_the_folders_that_several_lessons_share(lesson: Lesson, tmp_path: Path) -> None:
    for name in ("tools/start", "tools/deep/file", "tools/__pycache__/x.pyc", "others/file"):
        write(lesson.folder.parent / name, name)
    target = tmp_path / "mine"
    sharing = replace(lesson, shares=("tools",))
    tutorial.copy(sharing, target)
    assert names(target) >= {"a.ipynb", "tools/start", "tools/deep/file"}
    assert not (target / "others").exists() and not (target / "tools/__pycache__").exists()
    # They are the student's like all others.
    write(target / "tools/start", "mine")
    write(lesson.folder.parent / "tools/start", "new")
    [sentence] = tutorial.copy(sharing, target)
    assert "tools/start is yours" in sentence and (target / "tools/start").read_text() == "mine"


def test_what_the_student_changed_stays(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    write(target / "a.ipynb", "mine")
    write(target / "notes.txt", "mine, too")
    write(target / ".lesson/progress.json", "[2]")
    assert tutorial.copy(lesson, target) == []
    assert (target / "a.ipynb").read_text() == "mine" and (target / "notes.txt").read_text() == "mine, too"
    assert tutorial.done(target) == {2}


def test_a_new_version_comes_beside_what_the_student_changed(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    write(target / "a.ipynb", "mine")
    write(lesson.folder / "a.ipynb", "new")
    write(lesson.folder / "src/module.py", "two = 2\n")
    write(lesson.folder / ".lesson/exercises.py", EXERCISES.replace("None", "'more'"))
    [sentence] = tutorial.copy(lesson, target)
    assert "a.ipynb" in sentence and "a (new version).ipynb" in sentence
    assert (target / "a.ipynb").read_text() == "mine"
    assert (target / "a (new version).ipynb").read_text() == "new"
    # What was not changed is simply the new one, and so are the exercises.
    assert (target / "src/module.py").read_text() == "two = 2\n"
    assert "more" in (target / ".lesson/exercises.py").read_text()
    # It is said once, and what the student made of the new one stays, too.
    write(target / "a (new version).ipynb", "mine again")
    assert tutorial.copy(lesson, target) == []
    assert (target / "a (new version).ipynb").read_text() == "mine again"


def test_a_new_version_that_the_student_has_already_is_none(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    for file in (target / "a.ipynb", lesson.folder / "a.ipynb"):
        write(file, "new")
    assert tutorial.copy(lesson, target) == []
    assert not (target / "a (new version).ipynb").exists()


def test_a_file_that_the_student_removed_comes_back(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    (target / "src/module.py").unlink()
    tutorial.copy(lesson, target)
    assert (target / "src/module.py").read_text() == "one = 1\n"


@pytest.mark.parametrize("record", ["", "no JSON", "[]"])
def test_a_record_that_is_lost_costs_no_work(lesson: Lesson, tmp_path: Path, record: str) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    write(target / "a.ipynb", "mine")
    write(target / ".lesson/copied.json", record)
    [sentence] = tutorial.copy(lesson, target)
    assert "a.ipynb is yours and stays" in sentence
    assert (target / "a.ipynb").read_text() == "mine"


def test_a_folder_of_something_else_is_left_alone(lesson: Lesson, tmp_path: Path) -> None:
    write(tmp_path / "thesis/text.tex", "mine")
    for act in (tutorial.copy, tutorial.reset):
        with pytest.raises(ProjectError, match="thesis"):
            act(lesson, tmp_path / "thesis")
    assert names(tmp_path / "thesis") == {"text.tex"}


def test_a_copy_may_be_in_an_empty_folder(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    tutorial.copy(lesson, tmp_path / "empty")
    assert (tmp_path / "empty/a.ipynb").exists()


def test_a_reset_keeps_what_there_was(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    write(target / "a.ipynb", "mine")
    write(target / "notes.txt", "mine, too")
    write(target / ".lesson/progress.json", "[1, 2]")
    write(target / ".git/HEAD", "ref: refs/heads/main")
    aside = tutorial.reset(lesson, target)
    assert aside is not None and aside.parent == target
    assert (aside / "a.ipynb").read_text() == "mine" and (aside / "notes.txt").read_text() == "mine, too"
    assert tutorial.done(aside) == {1, 2}
    assert (target / "a.ipynb").read_text() == "{}" and tutorial.done(target) == set()
    # A repository of the student's stays where it is.
    assert (target / ".git/HEAD").exists() and not (aside / ".git").exists()
    assert not (target / "notes.txt").exists()


def test_a_second_reset_keeps_the_first(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    tutorial.copy(lesson, target)
    write(target / "a.ipynb", "first")
    first = tutorial.reset(lesson, target)
    write(target / "a.ipynb", "second")
    second = tutorial.reset(lesson, target)
    assert first is not None and second is not None and first != second
    assert [(aside / "a.ipynb").read_text() for aside in (first, second)] == ["first", "second"]


def test_a_reset_of_nothing_begins_the_lesson(lesson: Lesson, tmp_path: Path) -> None:
    assert tutorial.reset(lesson, tmp_path / "mine") is None
    assert (tmp_path / "mine/a.ipynb").exists()


@pytest.mark.parametrize("lesson", SHIPPED, ids=[each.number for each in SHIPPED])
def test_a_lesson_that_ships_is_whole(lesson: Lesson) -> None:
    assert re.fullmatch(r"\d\d-[a-z0-9-]+", lesson.name)
    assert len(lesson.title) <= 60 and len(lesson.summary) <= 120 and 5 <= lesson.minutes <= 60
    assert lesson.engines and {*lesson.engines} <= {"docker", "podman", "local"}
    # What the notebook belongs to is the lesson's own folder, wherever it was copied to.
    assert project.find(lesson.folder / lesson.notebook).root == lesson.folder
    assert 3 <= len(lesson.exercises) <= 5
    assert lesson.exercises == [*range(1, len(lesson.exercises) + 1)]
    for each in lesson.shares:
        assert (lesson.folder.parent / each).is_dir() and not (lesson.folder / each).exists()
    # Whoever must agree to something is told why.
    needs = any("cap_add" in file.read_text() for file in lesson.folder.glob("compose.yaml"))
    assert lesson.asks or not needs


@pytest.mark.parametrize("lesson", SHIPPED, ids=[each.number for each in SHIPPED])
def test_each_exercise_has_its_cell_its_check_a_hint_and_a_solution(lesson: Lesson) -> None:
    notebook = json.loads((lesson.folder / lesson.notebook).read_text(encoding="utf-8"))
    tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", ())]
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    module = ast.parse((lesson.folder / ".lesson/exercises.py").read_text(encoding="utf-8"))
    hints = {each.name: ast.get_docstring(each) for each in module.body if isinstance(each, ast.FunctionDef)}
    for number in lesson.exercises:
        assert tags.count(f"exercise-{number}") == 1
        [check] = [place for place, source in enumerate(sources) if f"lesson.check({number})" in source]
        assert f"exercise-{number}" in notebook["cells"][check - 1]["metadata"]["tags"]
        assert hints[f"exercise_{number}"]
        assert (lesson.folder / f".lesson/solutions/{number}.py").is_file()


@pytest.mark.parametrize("lesson", SHIPPED, ids=[each.number for each in SHIPPED])
def test_a_notebook_that_ships_was_not_run(lesson: Lesson) -> None:
    notebook = json.loads((lesson.folder / lesson.notebook).read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len({*ids}) == len(ids)
    for cell in notebook["cells"]:
        assert cell["cell_type"] != "code" or (cell["outputs"] == [] and cell["execution_count"] is None)
        # One idea a cell: what is longer is not read in a class.
        assert cell["cell_type"] != "markdown" or len("".join(cell["source"]).split()) <= 170

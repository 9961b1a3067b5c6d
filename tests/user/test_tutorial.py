"""`workbench tutorial` as a student types it, and the lessons opened all at once from a checkout."""

import shutil
from pathlib import Path

import pytest
from support.person import MakePerson, Person, Result

from user.test_lessons import cells, solution

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FIRST = "01-first-launch"
DETACHED = ("-d", "--no-browser")


@pytest.fixture
def me(somebody: MakePerson) -> Person:
    return somebody("local")


def tutorial(me: Person, *words: str | Path) -> Result:
    return me.run("workbench", "tutorial", *words)


def row(me: Person, number: str) -> str:
    """What the list says of a lesson."""
    [line] = [line for line in tutorial(me, "list").ok().out.splitlines() if line.startswith(number)]
    return line


def test_the_list_says_what_there_is_and_how_far_one_is(me: Person) -> None:
    shown = tutorial(me).ok()
    assert shown.out == tutorial(me, "list").ok().out
    told = {each["name"]: each for each in tutorial(me, "list", "--json").ok().json()}
    assert [*told] == sorted(path.parent.name for path in NOTEBOOKS.glob("*/lesson.toml"))
    assert told[FIRST]["exercises"] == [1, 2, 3, 4] and told[FIRST]["done"] == []
    assert {"title", "summary", "minutes", "engines"} <= told[FIRST].keys()
    for each in told.values():
        assert each["title"] in shown.out
    assert "0 of 4" in row(me, "01")
    # Looking makes nothing.
    assert not (me.home / "workbench-tutorial").exists()


def test_a_lesson_is_begun_checked_gone_on_with_and_begun_anew(me: Person) -> None:
    folder = me.home / "workbench-tutorial" / FIRST
    begun = tutorial(me, "first", *DETACHED, "--json").ok()
    assert str(folder) in begun.err and begun.json()["project"] == str(folder)
    bench = me.launch(folder)
    notebook = folder / "first-launch.ipynb"
    check = next(each.source for each in cells(notebook) if each.checks == 2)
    start = "from workbench.notebook import lesson"
    with bench.jupyter.kernel(path=notebook.name) as kernel:
        assert "there is no file mine.txt" in kernel.run(f"{start}\nowner = 0\n{check}").ok()
        assert "st_uid" in kernel.run("lesson.hint(2)").ok() + kernel.run("lesson.solution(2)").ok()
        assert "Exercise 2 is done. 1 of 4; next: 1." in kernel.run(f"{solution(folder, 2)}\n{check}").ok()
    assert "1 of 4" in row(me, "01")
    said = tutorial(me, "check", "01").ok().out.splitlines()
    assert tutorial(me, "check", "01", "--json").ok().json()["done"] == [2]
    assert said[:4] == ["· exercise 1", "✓ exercise 2", "· exercise 3", "· exercise 4"] and "3 to go" in said[4]

    me.write(notebook, notebook.read_text().replace("# First launch", "# My first launch"))
    tutorial(me, "01", *DETACHED).ok()
    assert "# My first launch" in notebook.read_text() and "1 of 4" in row(me, "01")

    told = tutorial(me, "reset", "01").ok().err
    [aside] = folder.glob("before-*")
    assert str(aside) in told and "# My first launch" in (aside / notebook.name).read_text()
    assert (aside / "mine.txt").exists() and not (folder / "mine.txt").exists()
    assert "# My first launch" not in notebook.read_text() and "0 of 4" in row(me, "01")


def test_a_lesson_goes_into_a_folder_that_is_named(me: Person) -> None:
    mine = me.projects / "course"
    assert "is as at the beginning" in tutorial(me, "reset", "10", "--to", mine).ok().err
    assert (mine / "reproducibility.ipynb").exists() and not [*mine.glob("before-*")]
    assert "5 to go" in tutorial(me, "check", "10", "--to", mine).ok().out
    assert not (me.home / "workbench-tutorial").exists()


@pytest.mark.parametrize("words", [("77",), ("first-lunch", *DETACHED), ("check", "77"), ("reset", "77")])
def test_a_lesson_that_is_not_there(me: Person, words: tuple[str, ...]) -> None:
    text = tutorial(me, *words).fails(2)
    assert "There is no lesson" in text
    assert not (me.home / "workbench-tutorial").exists()


@pytest.mark.parametrize("verb", ["check", "reset"])
def test_which_lesson_is_asked(me: Person, verb: str) -> None:
    told = tutorial(me, verb)
    assert told.code == 2 and f"workbench tutorial {verb} LESSON" in told.err


@pytest.mark.parametrize("words", [("01", *DETACHED), ("reset", "01")])
def test_somebody_elses_folder_is_left_alone(me: Person, words: tuple[str, ...]) -> None:
    thesis = me.projects / "thesis"
    me.write(thesis / "text.tex", "mine")
    text = tutorial(me, *words, "--to", str(thesis)).fails(2)
    assert "thesis" in text and "--to FOLDER" in text
    assert [path.name for path in thesis.iterdir()] == ["text.tex"]


def test_all_lessons_open_as_one_project(me: Person) -> None:
    """`run-notebook notebooks`, as the README says it."""
    root = me.projects / "notebooks"
    shutil.copytree(NOTEBOOKS, root, ignore=shutil.ignore_patterns("__pycache__"))
    me.give(root)
    bench = me.launch(root)
    assert bench.project == root
    inside = f"{FIRST}/first-launch.ipynb"
    listed = {each["path"] for each in bench.jupyter.call("GET", f"api/contents/{FIRST}")["content"]}
    assert inside in listed
    bench.jupyter.run(*(cell.source for cell in cells(root / inside)), path=inside)


def test_an_edit_on_this_machine_is_seen_in_the_kernel(somebody: MakePerson) -> None:
    """What lesson 04 says of a container: the file that is edited here is the file that is imported there."""
    me = somebody("docker")
    mine = me.projects / "live"
    tutorial(me, "reset", "04", "--to", mine).ok()
    bench = me.launch(mine)
    module = mine / "src/tideline/levels.py"
    with bench.jupyter.kernel(path="your-project-live.ipynb") as kernel:
        kernel.run("import importlib\nfrom tideline import levels").ok()
        me.write(module, module.read_text() + "\n\nTOLD = 'from this machine'\n")
        assert kernel.run("print(hasattr(levels, 'TOLD'))").ok() == "False\n"
        assert kernel.run("print(importlib.reload(levels).TOLD)").ok() == "from this machine\n"

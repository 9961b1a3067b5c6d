"""Copies of many notebooks: what is said of them, how the work is shared out."""

import os
from pathlib import Path

import pytest

from workbench.review import findings, marks, work
from workbench.review.findings import Finding, State

HERE = Path("/project")


def found(**states: State) -> list[Finding]:
    return [Finding(HERE / f"{name}.ipynb", state) for name, state in states.items()]


@pytest.mark.parametrize(
    ("states", "line"),
    [
        ([], "No notebooks."),
        (["fresh"], "1 notebook: all copies are up to date."),
        (["fresh", "written", "written", "failed"], "4 notebooks: 1 failed, 2 written, 1 up to date."),
        (["stale", "missing", "not added"], "3 notebooks: 1 stale, 1 missing, 1 not added to git."),
        (["fresh", "removed", "removed"], "1 notebook: 1 up to date; 2 copies of deleted notebooks removed."),
        (["orphaned"], "No notebooks; 1 copy of deleted notebooks."),
    ],
)
def test_summary(states: list[State], line: str) -> None:
    assert findings.summary([Finding(Path(), state) for state in states]) == line


@pytest.mark.parametrize(
    ("news", "given", "git", "step"),
    [
        (found(a="stale"), [], True, "workbench diffs && git add .diffs"),
        (found(a="stale"), [], False, "workbench diffs"),
        (found(a="missing"), ["sub dir"], False, "workbench diffs 'sub dir'"),
        (found(a="stale"), ["a.ipynb", "b.ipynb", "c.ipynb"], False, "workbench diffs a.ipynb"),
        (found(a="not added", b="fresh"), [], True, "git add .diffs"),
        (found(a="written"), [], True, "git add .diffs"),
        (found(a="written"), [], False, ""),
        (found(a="failed"), [], True, ""),
        ([Finding(HERE / "x/.diffs/a.py", "orphaned")], [], True, "workbench diffs && git add x/.diffs"),
        (found(**{f"{n}/a": "not added" for n in "abc"}), [], True, "git add ':(glob)**/.diffs/**'"),
    ],
)
def test_the_command_that_mends(news: list[Finding], given: list[str], git: bool, step: str) -> None:
    to_add = {each.path for each in news} if git else ()
    assert findings.next_step(news, given, HERE, to_add=to_add) == step


def test_long_lists_are_cut() -> None:
    rows = list(findings.rows([Finding(HERE / f"{number}.ipynb", "stale") for number in range(100)], HERE))
    assert len(rows) == findings.ROWS + 1
    assert rows[0] == "  stale  0.ipynb" and "94 more" in rows[-1]


@pytest.mark.parametrize(
    ("path", "here", "name"),
    [("/a/b/c.ipynb", "/a", "b/c.ipynb"), ("/a/b.ipynb", "/a/d", "../b.ipynb"), ("/x/b.ipynb", "/a/d", "/x/b.ipynb")],
)
def test_names_are_as_one_would_type_them(path: str, here: str, name: str) -> None:
    assert findings.name(Path(path), Path(here)) == name


def killed_at_seven(notebook: Path) -> Finding:
    """A conversion for which no memory is left."""
    if notebook.name == "7.ipynb":
        os.abort()
    return Finding(notebook, "written")


def test_a_conversion_that_is_killed_is_named_and_keeps_no_other_from_its_turn(tmp_path: Path) -> None:
    notebooks = [tmp_path / f"{number}.ipynb" for number in range(work.SHARE * 2)]
    came = list(work.shared(killed_at_seven, notebooks, workers=2))
    assert sorted(each.path for each in came) == sorted(notebooks)
    assert [(each.path.name, "killed" in each.reason) for each in came if each.state == "failed"] == [("7.ipynb", True)]


def test_marks_are_added_once_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"*.log\r\n**/.ipynb_checkpoints")
    (tmp_path / ".gitattributes").write_text("**/.diffs/*.html -diff\n")
    first = {added.file.name: added for added in marks.add(tmp_path)}
    assert first[".gitignore"].lines == (".~*.ipynb",)
    ignored = (tmp_path / ".gitignore").read_bytes()
    assert ignored.startswith(b"*.log\r\n**/.ipynb_checkpoints\r\n") and ignored.endswith(b"\r\n.~*.ipynb\r\n")
    assert b"\n" not in ignored.replace(b"\r\n", b"")
    attributes = (tmp_path / ".gitattributes").read_text()
    assert attributes.startswith("**/.diffs/*.html -diff\n") and attributes.count(".html") == 1
    assert not any(added.lines for added in marks.add(tmp_path))
    assert (tmp_path / ".gitignore").read_bytes() == ignored

"""The process that converts: its answers, its limit, its end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench.inside.diffs.converter import WORKER, Converter, Lost, Overdue
from workbench.inside.diffs.worker import NICE

PLAIN = (sys.executable, str(Path(__file__).parent / "plain_worker.py"))
WHOLE = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture
def converter(tmp_path: Path) -> Iterator[Converter]:
    found = Converter(tmp_path, PLAIN, limit=10)
    yield found
    found.kill()
    found.end()


def notebook(folder: Path, text: str = "{}", name: str = "a.ipynb") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return str(folder / name)


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / ".diffs").iterdir()} if (folder / ".diffs").exists() else set()


def test_a_notebook_is_converted_moved_and_removed(tmp_path: Path, converter: Converter) -> None:
    path = notebook(tmp_path)
    answer = converter.ask(notebook=path)
    assert (answer["notebook"], answer["changed"]) == (path, True)
    assert 0 <= answer["seconds"] < 10
    assert names(tmp_path) == {"a.py", "a.html", "a_files"}
    assert not converter.ask(notebook=path)["changed"]
    moved = Path(path).rename(tmp_path / "b.ipynb")
    assert converter.ask(notebook=str(moved), was=path)["changed"]
    assert names(tmp_path) == {"b.py", "b.html", "b_files"}
    moved.unlink()
    assert converter.ask(notebook=str(moved))["changed"]
    assert names(tmp_path) == set()
    before, after = converter.ask(), converter.ask()
    assert after["id"] == before["id"] + 1


def test_the_first_copies_of_a_project_are_said_to_be(tmp_path: Path, converter: Converter) -> None:
    found = [converter.ask(notebook=notebook(tmp_path / name)).get("first") for name in ("a", "b/c", "d/e/f", "a")]
    assert found == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "said"), [("{", "The file is not JSON."), ("FAIL}", "It cannot be converted: ValueError: no such thing")]
)
def test_a_failure_is_one_sentence_and_the_process_goes_on(
    tmp_path: Path, converter: Converter, text: str, said: str
) -> None:
    assert converter.ask(notebook=notebook(tmp_path, text))["error"] == said
    pid = converter.pid
    assert converter.ask(notebook=notebook(tmp_path))["changed"]
    assert converter.pid == pid


def test_the_disks_own_words_are_said(tmp_path: Path, converter: Converter) -> None:
    (tmp_path / ".diffs").write_text("a file")
    assert converter.ask(notebook=notebook(tmp_path))["error"] == "Not a folder (links are not followed): .diffs"


def test_notebooks_outside_of_the_project_get_no_copies(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "inner").mkdir(parents=True)
    notebook(outside)
    notebook(project / "inner")
    (project / "out").symlink_to(outside)
    (project / "in").symlink_to(project / "inner")
    (project / "link.ipynb").symlink_to(outside / "a.ipynb")
    converter = Converter(project, PLAIN)
    try:
        assert "out of the project" in converter.ask(notebook=str(project / "out" / "a.ipynb"))["error"]
        assert converter.ask(notebook=str(project / "in" / "a.ipynb"))["changed"]
        assert converter.ask(notebook=str(project / "link.ipynb"))["changed"]
        assert (names(outside), names(project)) == (set(), {"link.py", "link.html", "link_files"})
    finally:
        converter.end()


def test_what_takes_too_long_is_ended_and_replaced(tmp_path: Path) -> None:
    converter = Converter(tmp_path, PLAIN, limit=3)
    try:
        with pytest.raises(Overdue, match="more than 3 s"):
            converter.ask(notebook=notebook(tmp_path, "HANG}"))
        assert converter.pid is None
        assert converter.ask(notebook=notebook(tmp_path))["changed"]
    finally:
        converter.end()


def test_a_process_that_was_killed_meanwhile_is_replaced(tmp_path: Path, converter: Converter) -> None:
    converter.ask()
    pid = converter.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert converter.ask(notebook=notebook(tmp_path))["changed"]
    assert converter.pid != pid


def test_a_process_that_ends_at_its_work_is_said_to(tmp_path: Path, converter: Converter) -> None:
    with pytest.raises(Lost, match="code 3"):
        converter.ask(notebook=notebook(tmp_path, "END}"))
    assert converter.ask(notebook=notebook(tmp_path))["changed"]


def test_the_process_stands_back(tmp_path: Path, converter: Converter) -> None:
    converter.ask()
    assert converter.pid
    assert psutil.Process(converter.pid).nice() == min(os.nice(0) + NICE, 19)
    assert Path(f"/proc/{converter.pid}/oom_score_adj").read_text().strip() == "1000"


def test_the_process_ends_when_nobody_asks_any_more(tmp_path: Path) -> None:
    process = subprocess.Popen([*PLAIN, str(tmp_path), "30"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.close()
    assert process.wait(20) == 0


def test_the_process_ends_a_hanging_conversion_when_nobody_is_left_to(tmp_path: Path) -> None:
    line = json.dumps({"id": 1, "notebook": notebook(tmp_path, "HANG}")})
    process = subprocess.Popen([*PLAIN, str(tmp_path), "0.5"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(f"{line}\n".encode())
    process.stdin.close()
    assert process.wait(20) == -signal.SIGALRM


def test_the_real_conversion(tmp_path: Path) -> None:
    converter = Converter(tmp_path, WORKER)
    try:
        assert converter.ask(notebook=notebook(tmp_path, WHOLE)).get("error") is None
        assert names(tmp_path) == {"a.py", "a.html"}
        (tmp_path / "b.ipynb").write_bytes(b"\xff\xfe")
        assert converter.ask(notebook=str(tmp_path / "b.ipynb"))["error"] == "The file is not UTF-8 text."
    finally:
        converter.end()

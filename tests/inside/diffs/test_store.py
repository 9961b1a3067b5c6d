"""The copies on disk: only what changed is written, only what is ours is removed, no link is followed."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from workbench.inside.diffs import store
from workbench.inside.diffs.convert import Converted, convert
from workbench.inside.diffs.paths import copies

RED, BLUE = "0123456789abcdef.png", "fedcba9876543210.svg"
PAGE = '<!doctype html>\n<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">\n'


def converted(text: str = "x = 1") -> Converted:
    return Converted(f"# %%\n{text}\n", f"{PAGE}{text}", {RED: b"red"})


def notebook(folder: Path, name: str = "a.ipynb") -> Path:
    """A notebook; what is in it does not matter."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("{}")
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Which file on disk each one is, and since when."""
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_script_a_page_and_images_are_written(tmp_path: Path) -> None:
    assert store.write(notebook(tmp_path), converted())
    assert tree(tmp_path / ".diffs") == {
        "a.py": b"# %%\nx = 1\n",
        "a.html": f"{PAGE}x = 1".encode(),
        f"a_files/{RED}": b"red",
    }


def test_equal_copies_are_not_touched(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    store.write(path, converted())
    before = stamps(tmp_path)
    assert not store.write(path, converted())
    assert stamps(tmp_path) == before


def test_only_the_copy_that_changed_is_replaced(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    store.write(path, converted())
    before = stamps(tmp_path)
    assert store.write(path, Converted("# %%\nx = 1\n", f"{PAGE}other", {RED: b"red"}))
    changed = {Path(name).name for name, stamp in stamps(tmp_path).items() if before.get(name) != stamp}
    assert changed - {".diffs"} == {"a.html"}


def test_images_no_longer_used_are_removed_and_their_folder_with_them(tmp_path: Path) -> None:
    path, folder = notebook(tmp_path), tmp_path / ".diffs" / "a_files"
    store.write(path, Converted("", PAGE, {RED: b"red", BLUE: b"blue"}))
    assert store.write(path, Converted("", PAGE, {BLUE: b"blue"}))
    assert [image.name for image in folder.iterdir()] == [BLUE]
    assert store.write(path, Converted("", PAGE, {}))
    assert not folder.exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o644)])
def test_copies_are_plain_files_by_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        store.write(notebook(tmp_path), converted())
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / ".diffs").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}


def test_what_a_killed_writer_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    store.write(path, converted())
    old, new = (tmp_path / ".diffs" / f".{digit * 16}.part" for digit in "ab")
    for part in (old, new):
        part.write_text("half")
    os.utime(old, (0, 0))
    store.write(path, converted("x = 2"))
    assert (old.exists(), new.exists()) == (False, True)


def test_characters_that_are_none_are_written_all_the_same(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    store.write(path, Converted("# %%\n'\ud800é'\n", PAGE, {}))
    assert copies(path).script.read_text(encoding="utf-8") == "# %%\n'?é'\n"


def test_the_longest_name_that_a_notebook_can_have(tmp_path: Path) -> None:
    path = notebook(tmp_path, "n" * 249 + ".ipynb")
    assert store.write(path, converted())
    assert len(tree(tmp_path / ".diffs")) == 3
    assert store.remove(path)


def test_a_notebook_that_has_gone_meanwhile_leaves_no_copies(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    path.unlink()
    store.write(path, converted())
    assert not (tmp_path / ".diffs").exists()


def test_removal_takes_the_copies_and_no_more(tmp_path: Path) -> None:
    path, other = notebook(tmp_path), notebook(tmp_path, "b.ipynb")
    for each in (path, other):
        store.write(each, converted())
    before = tree(tmp_path / ".diffs")
    assert store.remove(path)
    assert tree(tmp_path / ".diffs") == {name: text for name, text in before.items() if name.startswith("b")}
    assert store.remove(other) and not store.remove(other)
    assert not (tmp_path / ".diffs").exists()


def test_files_of_somebody_else_stay(tmp_path: Path) -> None:
    path, diffs = notebook(tmp_path), tmp_path / ".diffs"
    theirs = {"a.txt": b"notes", "a.py": b"print('mine')", "a.html": b"<html>mine", "a_files/mine.png": b"mine"}
    for name, content in theirs.items():
        (diffs / name).parent.mkdir(parents=True, exist_ok=True)
        (diffs / name).write_bytes(content)
    path.unlink()
    assert not store.remove(path)
    assert store.orphans(tmp_path) == []
    assert tree(diffs) == theirs


def test_an_image_of_ones_own_beside_the_images_stays(tmp_path: Path) -> None:
    path, mine = notebook(tmp_path), tmp_path / ".diffs" / "a_files" / "mine.png"
    store.write(path, converted())
    mine.write_text("mine")
    store.write(path, Converted("", PAGE, {}))
    store.remove(path)
    assert tree(tmp_path / ".diffs") == {"a_files/mine.png": b"mine"}


def test_copies_follow_a_rename_into_another_folder(tmp_path: Path) -> None:
    old, new = notebook(tmp_path / "one"), tmp_path / "two" / "b.ipynb"
    store.write(old, converted())
    notebook(tmp_path / "two", "b.ipynb")
    store.write(new, Converted("", PAGE, {BLUE: b"blue"}))
    old.unlink()
    assert store.move(old, new)
    assert tree(tmp_path / "two" / ".diffs") == {
        "b.py": b"# %%\nx = 1\n",
        "b.html": f"{PAGE}x = 1".encode(),
        f"b_files/{RED}": b"red",
    }
    assert not (tmp_path / "one" / ".diffs").exists()
    assert not store.move(old, new)


def test_copies_that_cannot_follow_a_rename_are_removed(tmp_path: Path) -> None:
    old, new = notebook(tmp_path / "one"), notebook(tmp_path / "two")
    store.write(old, converted())
    (tmp_path / "two" / ".diffs").write_text("a file")
    assert store.move(old, new)
    assert not (tmp_path / "one" / ".diffs").exists()


@contextmanager
def linked(project: Path, link: Path) -> Iterator[Path]:
    """A folder outside of the project, that `link` leads to; fails when anything is done to it."""
    outside = project.parent / "outside"
    outside.mkdir()
    for name in ("a.py", "a.html"):
        (outside / name).write_text("# %%\n" if name == "a.py" else PAGE)
    (outside / RED).write_text("red")
    before = stamps(outside)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    yield outside
    assert stamps(outside) == before
    assert link.is_symlink()


def test_a_linked_folder_of_copies_is_neither_written_to_nor_emptied(tmp_path: Path) -> None:
    project = tmp_path / "project"
    path, other = notebook(project), notebook(project / "sub")
    with linked(project, project / ".diffs"):
        with pytest.raises(NotADirectoryError, match="links are not followed"):
            store.write(path, converted())
        store.write(other, converted())
        assert store.move(other, path)
        path.unlink()
        assert not store.move(path, other)
        assert not store.remove(path)
        assert store.orphans(project) == []


def test_a_linked_folder_of_images_is_neither_written_to_nor_emptied(tmp_path: Path) -> None:
    project = tmp_path / "project"
    path = notebook(project)
    with linked(project, project / ".diffs" / "a_files"):
        with pytest.raises(NotADirectoryError):
            store.write(path, converted())
        store.write(path, Converted("", PAGE, {}))
        store.remove(path)


def test_a_copy_that_is_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    path, outside = notebook(tmp_path / "project"), tmp_path / "outside.py"
    outside.write_text("# %%\nx = 1\n")
    copies(path).script.parent.mkdir()
    copies(path).script.symlink_to(outside)
    assert store.write(path, converted("x = 2"))
    assert not copies(path).script.is_symlink()
    assert outside.read_text() == "# %%\nx = 1\n"


def test_orphans_are_the_copies_whose_notebook_is_gone(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "sub", tmp_path / "node_modules", tmp_path / ".hidden"):
        store.write(notebook(folder), converted())
        store.write(notebook(folder, "b.ipynb"), converted())
        (folder / "a.ipynb").unlink()
    expected = [folder / ".diffs" / name for folder in (tmp_path, tmp_path / "sub") for name in ORPHANS]
    assert store.orphans(tmp_path) == expected


ORPHANS = ("a.html", "a.py", "a_files")


IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def real(source: str, *, language: str = "python") -> str:
    """The text of a notebook with an image."""
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": IMAGE}}
    cell = {"cell_type": "code", "id": "c1", "metadata": {}, "source": source, "execution_count": 1}
    metadata: dict[str, Any] = {"language_info": {"name": language}, "kernelspec": {"language": language, "name": "k"}}
    whole = {"cells": [{**cell, "outputs": [output]}], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole)


def test_the_state_says_whether_the_copies_are_those_of_the_notebook(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    path.write_text(real("x = 1"))
    assert store.state(path) == "missing"
    store.write(path, convert(path.read_bytes(), "a"))
    assert store.state(path) == "fresh"
    [image] = copies(path).images.iterdir()
    for change in (image.unlink, lambda: copies(path).page.write_text("x"), lambda: path.write_text(real("x = 2"))):
        store.write(path, convert(path.read_bytes(), "a"))
        assert store.state(path) == "fresh"
        change()
        assert store.state(path) == "stale"


@pytest.mark.parametrize("language", ["python", "R", "julia", "c++", "sql", "javascript", "brainfuck"])
def test_what_is_converted_has_the_form_by_which_it_is_known(tmp_path: Path, language: str) -> None:
    path = notebook(tmp_path)
    empty = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    for text in (real("x = 1", language=language), empty):
        path.write_text(text)
        store.write(path, convert(text.encode(), "a"))
        path.unlink()
        assert {orphan.name for orphan in store.orphans(tmp_path)} >= {"a.html", "a.py"}
        store.remove(path)
        assert not (tmp_path / ".diffs").exists()

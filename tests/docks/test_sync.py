"""What stays on its own side, and what unison's words mean: against git's and unison's own judgement."""

import subprocess
from pathlib import Path

import pytest

from workbench.docks.sync import patterns, unison
from workbench.docks.sync.copy import What
from workbench.docks.sync.files import patterns as of_project

FILES = (
    *("a.pyc", "b.py", "data/x", "src/data/y", "build/o", "src/build/o", "a/b", "a/x/b", "a/x/y/b", "c/d.log"),
    *("keep.log", "other.log", "with space.txt", "dots.in.name", "plus+.txt", "(round).txt", "{curly}.txt", "$money"),
    *("#not", "!bang", "x.o", "x.a", "x.c", "ax", "bx", "ümlaut.txt", "sub/one.tmp", "sub/deep/two.tmp", "three.tmp"),
)
LINES = [
    *("*.pyc", "data/", "/build", "a/**/b", "**/y", "src/**", "*.log\n!keep.log", "# a comment", r"\#not", r"\!bang"),
    *("*.[oa]", "[!a]x", "with space.txt", "dots.in.name", "dots*", "plus+.txt", "(round).txt", "{curly}.txt"),
    *("$money", "?.c", "c", "src/data", "*.txt", "ümlaut.txt", "sub/*.tmp", "trailing.py   \nb.py"),
]


def _git(root: Path, lines: str) -> set[str]:
    """The files that git does not ignore."""
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text(lines + "\n")
    asked = ["git", "-C", root, "-c", "core.quotePath=false", "ls-files", "--others", "--exclude-standard"]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines())


def _unison(root: Path, far: Path, memory: Path, words: tuple[str, ...]) -> set[str]:
    """The files that unison copies."""
    far.mkdir()
    command = ["unison", str(root), str(far), "-ui", "text", "-batch", "-log=false", *words]
    done = subprocess.run(
        command, env={"UNISON": str(memory), "HOME": str(memory), "LC_ALL": "C.UTF-8"}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.relative_to(far).as_posix() for path in far.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize("lines", LINES)
def test_what_git_ignores_is_not_copied(lines: str, tree: Path, tmp_path: Path) -> None:
    expected = _git(tree, lines)
    words = of_project(What("dock", str(tree), "copy"))
    assert _unison(tree, tmp_path / "far", tmp_path / "memory", words) == expected


def test_further_files_of_patterns(tree: Path, tmp_path: Path) -> None:
    (tree / "sub/.gitignore").write_text("*.tmp\n!deep/two.tmp\n/one.tmp\n")
    (tree / ".dockerignore").write_text("a.pyc\n# comment\ndata\n")
    words = of_project(What("dock", str(tree), "copy", exclude=("*.log", "!keep.log")))
    copied = _unison(tree, tmp_path / "far", tmp_path / "memory", words)
    left = {"sub/one.tmp", "a.pyc", "data/x", "other.log", "c/d.log"}
    assert set(FILES) - copied == left
    assert ".git" in " ".join(patterns.ALWAYS)


def test_what_it_says_wherever_it_is_cut() -> None:
    said = (
        b"Looking for changes\n"
        b"changed  <==== changed    both.txt  \n"
        b"deleted  <-?-> chgd dir   dir with space\n"
        b"new file ====> new file   new.txt\n"
        b"         <---- changed    d0/f4.txt\n"
        b"[END] Copying a.txt\n"
        b"\r 94%  00:00 ETA\r"
        b"  failed: ro\n"
        b"The archive file is missing on some hosts.\n"
        b"Synchronization incomplete at 00:43:19  (0 items transferred, 0 skipped, 1 failed)\n"
    )
    for cut in range(len(said)):
        heard = unison.Heard()
        heard.hear(said[:cut])
        heard.hear(said[cut:])
        assert [name.strip() for name in heard.conflicts] == ["both.txt", "dir with space", "new.txt"]
        assert (heard.failed, heard.percent, heard.changed, heard.lost) == (["ro"], 94, True, True)


@pytest.mark.parametrize(
    ("text", "known"),
    [("unison version 2.52.1 (ocaml 4.13.1)", (2, 52)), ("unison version 2.48.4", (2, 48)), ("no", ()), ("", ())],
)
def test_versions(text: str, known: tuple[int, ...]) -> None:
    assert unison.version(text) == known

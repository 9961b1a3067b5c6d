"""What stays on its own side: lines of .gitignore and .dockerignore, by git itself and by unison itself."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from support.require import absent

from workbench import process
from workbench.docks.sync import files, patterns
from workbench.docks.sync.copy import What

Row = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""Lines; what stays out; what takes part."""

SIGNS = ["a->b", "a&b", "a=b", "~t", "k'q", 'k"q', "x,y", "%", "@"]
BOTH: dict[str, Row] = {
    "an ending": (["*.pyc"], ["a.pyc", "d/b.pyc", ".pyc"], ["a.py", "a.pycx", "pyc"]),
    "a folder": (["data/"], ["data/x", "d/data/y/z"], ["data2/x", "mydata/x", "x.data"]),
    "at the top": (["/build"], ["build/x"], ["d/build", "builds", "d/x/build/y"]),
    "a path": (["doc/out"], ["doc/out/x"], ["d/doc/out", "doc/x"]),
    "any depth between": (["a/**/b"], ["a/b", "a/x/b", "a/x/y/b/c"], ["d/a/b", "a/xb", "a/x/c"]),
    "any depth before": (["**/x"], ["x", "d/x", "d/e/x/f"], ["xx", "d/yx"]),
    "a path at any depth": (["**/x/y"], ["x/y", "d/x/y"], ["x/z", "d/y"]),
    "all within": (["x/**"], ["x/a", "x/b/c"], ["d/x/a", "xa"]),
    "one level within": (["x/*"], ["x/a", "x/b/c"], ["d/x/a", "xa"]),
    "two stars are one elsewhere": (["a**z", "q/**r"], ["az", "abz", "d/abz", "q/r", "q/xr"], ["a/z", "q/s/r"]),
    "taken back": (["*.log", "!keep.log"], ["a.log", "d/b.log"], ["keep.log", "d/keep.log"]),
    "all but": (["*", "!keep.txt"], ["a", "b.txt", "d/keep.txt"], ["keep.txt"]),
    "all within but": (["data/*", "!data/.keep"], ["data/x", "data/d/y"], ["data/.keep", "d/data/x"]),
    "two stars but": (["**", "!keep.txt"], ["a", "d/b"], ["keep.txt"]),
    "a remark": (["#not", "  ", ""], [], ["#not", "not", " "]),
    "no remark": ([r"\#yes"], ["#yes"], ["yes", r"\#yes"]),
    "no taking back": ([r"\!bang"], ["!bang"], ["bang"]),
    "one of some": (["*.[oa]"], ["x.o", "d/y.a"], ["x.oa", "x.b", "o"]),
    "none of some": (["[!a]x"], ["bx", "d/cx"], ["ax", "d/ax", "x"]),
    "none of some, as a caret": (["[^a-c]x"], ["dx", "e/zx"], ["bx", "e/cx"]),
    "no slash in brackets": (["p/b[!a]c"], ["p/bxc"], ["p/b/c", "p/bac"]),
    "a range": (["v[0-9]", "w[0-9-]"], ["v1", "w-", "w5"], ["va", "v-", "v10", "wx"]),
    "brackets in brackets": (["[]]", "k[[]", r"l[\]x]"], ["]", "k[", "l]", "lx"], ["x", "la"]),
    "signs in brackets": (["m[]^-]"], ["m^", "m-", "m]"], ["m", "mx"]),
    "only a caret": (["n[\\^]"], ["n^"], ["na", "n"]),
    "a set with a name": (["[[:digit:]]z", "y[![:alpha:]]"], ["1z", "y1"], ["az", "ya"]),
    "a range backwards": (["[z-a]"], ["z"], ["a", "m"]),
    "one character": (["?.x"], ["a.x", "d/b.x"], [".x", "ab.x"]),
    "dots are dots": (["a.b"], ["a.b"], ["axb"]),
    "plus": (["c++", "a+b"], ["c++", "d/a+b"], ["cc", "aab", "ab"]),
    "parentheses": (["copy (1).txt"], ["copy (1).txt"], ["copy 1.txt"]),
    "braces": (["a{1}", "{x,y}", "z}"], ["a{1}", "{x,y}", "z}"], ["a", "x"]),
    "a bracket alone": (["f]"], ["f]"], ["f"]),
    "dollar, caret, pipe": (["$x", "^y", "a|b", "z$"], ["$x", "^y", "a|b", "z$"], ["x", "y", "a", "b", "z"]),
    "a backslash": ([r"a\\b", r"\c\d"], [r"a\b", "cd"], ["ab", r"\c\d"]),
    "an escaped star": ([r"\*", r"q\?"], ["*", "q?"], ["a", "qa"]),
    "spaces": (["my file", "tail   "], ["my file", "d/my file", "tail"], ["myfile", "my", "tail "]),
    "a space at the end": (["end\\ "], ["end "], ["end"]),
    "a space at the beginning": ([" begin"], [" begin"], ["begin"]),
    "signs": (SIGNS, SIGNS, ["a", "b", "t", "x"]),
    "letters of others": (["naïve*", "日本/"], ["naïve.txt", "日本/x"], ["naive.txt", "日"]),
    "case counts": (["*.TMP"], ["a.TMP"], ["a.tmp"]),
    "-options": (["-ignore", "--"], ["-ignore", "--"], ["ignore"]),
    "what follows a NUL": (["a\0b"], ["a"], ["b", "ab"]),
}
"""Where git and we agree."""

ONLY_OURS: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]] = {
    "a file where a folder is meant": (["data/"], ["d/data"], [], ["d/data"]),
    "taken back before it is left out": (["!keep.log", "*.log"], ["keep.log"], ["keep.log"], []),
    "taken back, and left out again": (["*.log", "!k.log", "k.log"], ["k.log"], ["k.log"], []),
    "all but folders": (["*", "!*/", "!*.py"], ["a.py", "d/a.py", "d/x.md"], ["d/x.md"], []),
    "what belongs to one machine": (["!.venv", "!.*"], [".venv/x", ".git/y"], [], [".venv/x", ".git/y"]),
    "and where all of a folder is taken back": (["v/*", "!v/**"], ["v/x", "v/.venv/y"], [], ["v/x", "v/.venv/y"]),
}
"""Where we differ: lines, paths, what git leaves out, what we leave out."""

DOCKER: dict[str, Row] = {
    "at the top only": (["*.pyc", "data/"], ["a.pyc", "data/x"], ["d/b.pyc", "d/data/x"]),
    "any depth": (["**/*.pyc"], ["a.pyc", "d/b.pyc"], ["a.py"]),
    "a slash says nothing": (["/x", "y/"], ["x", "y/z"], ["d/x", "d/y/z"]),
    "taken back": (["*.md", "! README.md"], ["a.md"], ["README.md", "d/b.md"]),
    "cleaned": (["./x", "a/../y", "  z  "], ["x", "y", "z"], ["a/y"]),
    "remarks": (["# a", "#b"], [], ["a", "#b", "b"]),
    "nothing": ([".", "/", "", "!"], [], ["a", "d/b"]),
}


@pytest.fixture(autouse=True)
def _tools() -> None:
    for each in ("git", "unison"):
        if not shutil.which(each):
            absent(f"{each} is not installed")


def fill(root: Path, paths: Iterable[str]) -> None:
    for each in paths:
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        (root / each).write_text("x")


def left_out_by_git(root: Path, paths: Iterable[str]) -> set[str]:
    """What git ignores in a folder, whose .gitignore files are there."""
    env = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    assert process.run(("git", "init", "-q", "--template="), env=env, cwd=root).code == 0
    asked = "\0".join(paths).encode()
    done = process.run(("git", "check-ignore", "--no-index", "-z", "--stdin"), env=env, cwd=root, stdin=asked)
    assert done.code in (0, 1), done.err
    shutil.rmtree(root / ".git")
    return set(filter(None, done.out.split("\0")))


def left_out_by_unison(root: Path, words: Sequence[str], paths: Iterable[str]) -> set[str]:
    """What unison does not copy of a folder."""
    other, memory = root.parent / "other", root.parent / "memory"
    for each in (other, memory):
        each.mkdir()
    env = {"UNISON": str(memory), "HOME": str(memory), "LC_ALL": "C.UTF-8"}
    options = ("-ui", "text", "-batch", "-auto", "-dumbtty", "-log=false")
    done = process.run(("unison", str(root), str(other), *options, *words), env=env, timeout=60)
    assert done.code == 0, done.out
    return {each for each in paths if not (other / each).is_file()}


def project(tmp_path: Path, lines: Sequence[str], paths: Iterable[str]) -> Path:
    root = tmp_path / "project"
    fill(root, paths)
    (root / ".gitignore").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("name", BOTH)
def test_as_git_has_it(tmp_path: Path, name: str) -> None:
    lines, out, within = BOTH[name]
    root = project(tmp_path, lines, [*out, *within])
    assert left_out_by_git(root, [*out, *within]) == set(out)
    words = patterns.arguments(patterns.read(lines))
    assert left_out_by_unison(root, words, [*out, *within]) == set(out)


@pytest.mark.parametrize("name", ONLY_OURS)
def test_known_differences(tmp_path: Path, name: str) -> None:
    lines, paths, by_git, by_us = ONLY_OURS[name]
    root = project(tmp_path, lines, paths)
    assert left_out_by_git(root, paths) == set(by_git)
    words = patterns.arguments([*patterns.read(patterns.ALWAYS), *patterns.read(lines)])
    assert left_out_by_unison(root, words, paths) == set(by_us)


@pytest.mark.parametrize("name", DOCKER)
def test_as_docker_has_it(tmp_path: Path, name: str) -> None:
    lines, out, within = DOCKER[name]
    root = project(tmp_path, [], [*out, *within])
    words = patterns.arguments(patterns.of_docker(lines))
    assert left_out_by_unison(root, words, [*out, *within]) == set(out)


def test_every_gitignore_counts_below_itself(tmp_path: Path) -> None:
    out = ["top.x", "sub/a/top.x", "sub/here", "sub/a/deep", ".hid/own", "a (b)/c+/own", "sub/.k/z"]
    within = ["here", "a/here", "hid/own", "own", "sub/a/here", "deep", "sub/keep.x", "a b/c/own", ".hid/.gitignore"]
    root = project(tmp_path, ["*.x"], [*out, *within])
    (root / "sub/.gitignore").write_text("\ufeff/here\r\n**/deep\n!keep.x\n.k/z\n")
    for each in (".hid", "a (b)/c+"):
        (root / each / ".gitignore").write_text("own")
    assert left_out_by_git(root, [*out, *within]) == set(out)
    words = files.patterns(What("dock", str(root), "copy"))
    assert left_out_by_unison(root, words, [*out, *within]) == set(out)


def test_all_that_says_it_counts(tmp_path: Path) -> None:
    always = [".git/config", "d/.venv/x", "node_modules/y", "d/x.egg-info/z", ".unison.a.unison.tmp", ".DS_Store"]
    out = [*always, "by-git", "d/by-git", "by-docker", "d/by-settings"]
    within = ["d/by-docker", "a", ".gitignore", ".dockerignore"]
    root = project(tmp_path, [], [*out, *within])
    (root / ".gitignore").write_text("!*\n!.git\n!**/*\nby-git\n")
    (root / ".dockerignore").write_text("by-docker\n")
    words = files.patterns(What("dock", str(root), "copy", ("by-settings",)))
    assert left_out_by_unison(root, words, [*out, *within]) == set(out)


def test_what_is_no_gitignore_says_nothing(tmp_path: Path) -> None:
    root = project(tmp_path, [], ["a/b", "c"])
    (root / "a/.gitignore").mkdir()
    (root / ".gitignore").write_bytes(b"\xff\xfe\0c\n\xe9\n")
    words = files.patterns(What("dock", str(root), "copy"))
    assert left_out_by_unison(root, words, ["a/b", "c"]) == set()


def test_the_top_is_looked_at_again(tmp_path: Path) -> None:
    what = What("dock", str(tmp_path), "copy")
    assert files.signature(what) == (0, 0)
    (tmp_path / ".dockerignore").write_text("x")
    assert files.signature(what) != (0, 0)

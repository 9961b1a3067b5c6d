"""`workbench diffs` and `workbench diff` as a person types them: real files, real git, real processes."""

import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support.person import MakePerson, Person, Result
from support.require import absent

ROOT = Path(__file__).parents[2]
GIT = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost"}
GIT |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@localhost"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


@pytest.fixture
def me(somebody: MakePerson) -> Person:
    """Who needs no engine."""
    return somebody("local")


@pytest.fixture
def project(me: Person) -> Path:
    """An empty project in a repository of its own."""
    root = me.project()
    me.run("git", "init", "-q", cwd=root).ok()
    return root


def notebook(path: Path, source: str = "print('hello')", *, count: int = 1) -> Path:
    """Write a notebook: a text, the code with what it printed, a picture."""
    shown = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PIXEL, "text/plain": "<Figure>"}}
    printed = {"output_type": "stream", "name": "stdout", "text": "hello\n"}
    cells = [
        {"cell_type": "markdown", "id": "text", "metadata": {}, "source": f"# About {path.stem}"},
        {"cell_type": "code", "id": "code", "metadata": {}, "source": source, "execution_count": count}
        | {"outputs": [printed, shown]},
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def tree(root: Path) -> dict[str, tuple[int, int]]:
    """Every file of a project, with its size and its time."""
    files = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def diffs(me: Person, project: Path, *words: str) -> Result:
    return me.run("workbench", "diffs", *words, cwd=project)


def commit(me: Person, project: Path, *, env: dict[str, str] | None = None) -> Result:
    me.run("git", "add", "-A", cwd=project).ok()
    return me.run("git", "commit", "-qm", "some", cwd=project, env=GIT | (env or {}))


def checked(me: Person, project: Path, *words: str) -> str:
    """What a check that fails says, in ten lines; it leaves everything as it was."""
    before = tree(project)
    result = diffs(me, project, "--check", *words)
    assert result.code == 1 and "Traceback" not in result.err, str(result)
    assert len(result.out.splitlines()) <= 10, result.out
    assert tree(project) == before
    return result.out


def mend(me: Person, project: Path, said: str) -> None:
    """Type the command that a check has named."""
    steps = said[said.index("→ ") + 2 :].strip().split(" && ")
    for step in steps:
        me.run(*shlex.split(step), cwd=project).ok()


def states(me: Person, project: Path, *words: str) -> list[tuple[str, str]]:
    return [(each["path"], each["state"]) for each in diffs(me, project, "--json", *words).json()["found"]]


def test_200_notebooks_on_all_cores(me: Person, project: Path) -> None:
    for number in range(200):
        notebook(project / f"part {number % 7}" / f"book {number}.ipynb")
    running = me.start("workbench", "diffs", cwd=project)
    workers = most_children(running.pid)
    first = me.wait(running).ok()
    assert "200 notebooks: 200 written." in first.out
    wanted = min(len(os.sched_getaffinity(0)), 5)
    assert workers == (wanted if wanted > 1 else 0), workers
    made = tree(project)
    assert len([name for name in made if "/.diffs/" in name]) == 600
    again = diffs(me, project).ok()
    assert again.out == "200 notebooks: all copies are up to date.\n"
    assert tree(project) == made


def most_children(pid: int) -> int:
    """How many processes of multiprocessing a process has at the same time, at most."""
    most = 0
    with_arguments = "multiprocessing.spawn"
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        try:
            children = psutil.Process(pid).children()
            most = max(most, sum(with_arguments in " ".join(child.cmdline()) for child in children))
        except psutil.Error:  # ended meanwhile
            continue
        time.sleep(0.02)
    return most


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("early", [True, False], ids=["early", "late"])
def test_no_process_is_left_of_what_is_ended(me: Person, project: Path, number: int, early: bool) -> None:
    if len(os.sched_getaffinity(0)) == 1:
        absent("on one core there is only the command itself")
    for name in range(100):
        notebook(project / f"{name}.ipynb")
    running = me.start("workbench", "diffs", cwd=project)
    children: list[psutil.Process] = []
    while not children or not ((project / ".diffs").exists() or early):
        children = psutil.Process(running.pid).children(recursive=True)
        time.sleep(0.02)
    if number in (signal.SIGINT, signal.SIGHUP):  # from a terminal: to all that run in it
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    result = me.wait(running)
    assert result.code == (-9 if number == signal.SIGKILL else 130) and "Traceback" not in result.err, str(result)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_notebook_that_cannot_be_read_is_named_and_the_others_are_written(me: Person, project: Path) -> None:
    notebook(project / "good.ipynb")
    (project / "broken.ipynb").write_text('{"cells": [')
    (project / "latin.ipynb").write_bytes('{"cells": ["é"]}'.encode("latin-1"))
    result = diffs(me, project)
    assert result.code == 1 and "Traceback" not in result.err
    assert len(result.out.splitlines()) <= 10
    assert "failed   broken.ipynb: The file is not JSON" in result.out
    assert "failed   latin.ipynb: The file is not UTF-8" in result.out
    assert "written  good.ipynb" in result.out
    assert (project / ".diffs/good.py").exists()


def test_check_names_what_is_wrong_and_the_command_that_mends_it(me: Person, project: Path) -> None:
    for name in ("fresh", "stale", "missing", "gone"):
        notebook(project / f"{name}.ipynb")
    diffs(me, project).ok()
    assert diffs(me, project, "--check").ok().out == "4 notebooks: all copies are up to date.\n"

    notebook(project / "fresh.ipynb", count=7)
    notebook(project / "stale.ipynb", "print('changed')")
    (project / ".diffs/missing.html").unlink()
    (project / ".diffs/missing.py").unlink()
    (project / "gone.ipynb").unlink()
    said = checked(me, project)
    assert "  stale     stale.ipynb" in said and "  missing   missing.ipynb" in said
    assert "  orphaned  .diffs/gone.py" in said and "fresh.ipynb" not in said
    mend(me, project, said)
    diffs(me, project, "--check").ok()
    assert not list((project / ".diffs").glob("gone*"))


def test_the_command_that_mends_works_whatever_git_knows(me: Person, project: Path) -> None:
    for name in ("sub/known", "other/unknown"):
        notebook(project / f"{name}.ipynb")
    diffs(me, project).ok()
    me.run("git", "add", "sub", cwd=project).ok()
    shutil.move(project / "sub/known.ipynb", project / "other/known.ipynb")
    (project / "other/unknown.ipynb").unlink()
    said = checked(me, project)
    mend(me, project, said)
    assert not (project / "sub/.diffs").exists()
    (project / ".gitignore").write_text(".diffs\n")
    notebook(project / "other/ignored.ipynb")
    said = checked(me, project)
    assert "git add" not in said
    mend(me, project, said)
    diffs(me, project, "--check").ok()


def test_an_image_that_is_not_the_notebooks_is_stale(me: Person, project: Path) -> None:
    notebook(project / "a.ipynb")
    diffs(me, project).ok()
    image = next((project / ".diffs/a_files").iterdir())
    image.write_bytes(b"something else")
    assert "stale  a.ipynb" in checked(me, project)


def test_a_hundred_stale_notebooks_take_ten_lines_and_json_lists_all(me: Person, project: Path) -> None:
    for number in range(100):
        notebook(project / f"{number}.ipynb")
    assert "94 more" in checked(me, project)
    document = diffs(me, project, "--check", "--json").json()
    assert document["notebooks"] == 100
    assert {each["state"] for each in document["found"]} == {"missing"} and len(document["found"]) == 100


def test_a_commit_would_lack_the_copies(me: Person, project: Path) -> None:
    book = notebook(project / "sub/a.ipynb")
    me.run("git", "add", "sub/a.ipynb", cwd=project).ok()
    diffs(me, project).ok()
    notebook(project / "unknown to git.ipynb")
    diffs(me, project).ok()
    said = checked(me, project)
    assert "not added  sub/a.ipynb" in said and "unknown" not in said
    mend(me, project, said)
    diffs(me, project, "--check", str(book)).ok()


def test_copies_without_a_notebook_go_and_files_of_others_stay(me: Person, project: Path) -> None:
    notebook(project / "old.ipynb").rename(notebook(project / "new.ipynb"))
    notebook(project / "old.ipynb")
    diffs(me, project).ok()
    for name in ("notes.txt", "tool.py", "page.html"):
        (project / ".diffs" / name).write_text("mine")
    (project / "old.ipynb").unlink()
    result = diffs(me, project).ok()
    assert "3 copies of deleted notebooks removed" in result.out and ".diffs/old.html" in result.out
    left = {path.name for path in (project / ".diffs").iterdir()}
    assert left == {"new.py", "new.html", "new_files", "notes.txt", "tool.py", "page.html"}


def test_what_is_nobodys_to_review_is_left_out(me: Person, project: Path) -> None:
    (project / ".gitignore").write_text("scratch/\n*-draft.ipynb\n")
    notebook(project / "venv/a.ipynb")
    (project / "venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    for name in (".ipynb_checkpoints/a-checkpoint", ".venv/a", "node_modules/a", "scratch/a", "b-draft", ".hidden"):
        notebook(project / f"{name}.ipynb")
    other = project / "vendored"
    notebook(other / "kept.ipynb")
    notebook(other / "out/left.ipynb")
    (other / ".gitignore").write_text("out\n")
    me.run("git", "init", "-q", cwd=other).ok()
    notebook(project / "a.ipynb")
    diffs(me, project).ok()
    copies = sorted(str(path.parent.relative_to(project)) for path in project.rglob("*.py"))
    assert copies == [".diffs", "vendored/.diffs"]


def test_what_git_tracks_is_not_left_out(me: Person, project: Path) -> None:
    notebook(project / "scratch/a.ipynb")
    commit(me, project).ok()
    (project / ".gitignore").write_text("scratch/\n")
    diffs(me, project).ok()
    assert (project / "scratch/.diffs/a.py").exists()


def test_without_git_all_is_well(me: Person) -> None:
    root = me.project()
    notebook(root / "a.ipynb")
    result = me.run("workbench", "diffs", ".", cwd=root).ok()
    assert result.out == "1 notebook: 1 written.\n  written  a.ipynb\n"


def test_names_say_what_is_meant(me: Person, project: Path) -> None:
    for name in ("a.ipynb", "sub/b.ipynb", "sub/deep/c.ipynb", "other/d.ipynb"):
        notebook(project / name)
    assert states(me, project / "sub", "deep", "../a.ipynb") == [("../a.ipynb", "written"), ("deep/c.ipynb", "written")]
    assert states(me, project, "--check", "other", "sub/.diffs/b.py") == [
        ("other/d.ipynb", "missing"),
        ("sub/b.ipynb", "missing"),
    ]
    (project / "a.ipynb").unlink()
    assert ("a.ipynb", "removed") not in states(me, project, "sub")
    assert {path for path, _ in states(me, project, ".diffs/a.py")} == {
        ".diffs/a.py",
        ".diffs/a.html",
        ".diffs/a_files",
    }
    assert not (project / ".diffs").exists()
    # From anywhere in the project, without a name, the whole of it is meant.
    assert [path for path, _ in states(me, project / "sub/deep")] == ["../../other/d.ipynb"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nowhere.ipynb"], "does not exist"),
        (["pyproject.toml"], "neither a folder nor a notebook"),
    ],
)
def test_names_that_mean_nothing(me: Person, project: Path, words: list[str], part: str) -> None:
    (project / "pyproject.toml").write_text("")
    assert part in diffs(me, project, *words).fails(2)


def test_options_that_contradict_each_other(me: Person, project: Path) -> None:
    notebook(project / "a.ipynb")
    for words in (["--check", "--watch"], ["--fix"], ["--watch", "--json"], ["--init", "a", "b"]):
        result = diffs(me, project, *words)
        assert result.code == 2 and ("Error:" in result.err or "error" in result.json()), str(result)
    assert not (project / ".diffs").exists()


def test_a_folder_that_cannot_be_written(me: Person, project: Path) -> None:
    notebook(project / "a.ipynb")
    notebook(project / "b/b.ipynb")
    (project / "b/.diffs").write_text("a file")
    result = diffs(me, project)
    assert result.code == 1 and "Traceback" not in result.err
    assert "failed   b/b.ipynb: Not a " in result.out and "written  a.ipynb" in result.out, str(result)


def test_init_adds_and_takes_nothing_away(me: Person, project: Path) -> None:
    (project / ".gitignore").write_text("*.log")
    first = diffs(me, project, "--init").ok().out
    assert ".gitattributes: made" in first and ".gitignore: added to" in first
    assert "workbench diffs --check --fix" in first
    assert (project / ".gitignore").read_text().startswith("*.log\n")
    before = tree(project)
    assert "nothing to add" in diffs(me, project, "--init").ok().out
    assert tree(project) == before

    notebook(project / "sub/a.ipynb")
    diffs(me, project).ok()
    for copy, generated in ((".diffs/a.html", "true"), (".diffs/a.py", "unspecified"), ("sub/.diffs/x.html", "true")):
        asked = me.run("git", "check-attr", "linguist-generated", "--", copy, cwd=project).ok()
        assert asked.out == f"{copy}: linguist-generated: {generated}\n"
    image = next((project / "sub/.diffs/a_files").iterdir()).relative_to(project)
    assert "gitlab-generated: set" in me.run("git", "check-attr", "gitlab-generated", "--", str(image), cwd=project).out
    assert me.run("git", "check-ignore", "sub/.diffs/a.py", cwd=project).code == 1
    assert me.run("git", "check-ignore", "x/.ipynb_checkpoints/a.ipynb", ".~a.ipynb", cwd=project).ok()


def test_init_names_the_rule_that_hides_the_copies(me: Person, project: Path) -> None:
    (project / ".gitignore").write_text("# hidden files\n.*\n!.gitignore\n")
    assert ".gitignore:2: .*" in diffs(me, project, "--init").ok().out


def test_line_ends_that_git_changes_elsewhere_stay_in_copies(me: Person, project: Path) -> None:
    notebook(project / "a.ipynb")
    for words in (["--init"], []):
        diffs(me, project, *words).ok()
    commit(me, project).ok()
    shutil.rmtree(project / ".diffs")
    me.run("git", "-c", "core.autocrlf=true", "checkout", "-q", "--", ".diffs", cwd=project).ok()
    diffs(me, project, "--check").ok()


def hooks() -> dict[str, tuple[str, str]]:
    """Id -> command and file pattern of the hooks that the repository offers."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    found = re.findall(r"- id: (\S+).*?entry: ([^\n]+)\n.*?files: '([^']+)'", text, re.DOTALL)
    return {name: (entry, files) for name, entry, files in found}


def test_the_hook_that_writes_lets_a_commit_through_once_all_is_added(me: Person, project: Path) -> None:
    entry, files = hooks()["workbench-diffs"]
    script = project / ".git/hooks/pre-commit"
    names = f"git diff --cached --name-only --diff-filter=d | grep -E '{files}' | xargs -r -d '\\n'"
    script.write_text(f"#!/bin/sh\n{names} {entry}\n")
    script.chmod(0o755)
    book = notebook(project / "sub/a.ipynb")
    refused = commit(me, project)
    assert refused.code != 0 and "written  sub/a.ipynb" in refused.out + refused.err, str(refused)
    commit(me, project).ok()
    tracked = me.run("git", "ls-files", cwd=project).ok().out
    assert "sub/.diffs/a.py" in tracked and "sub/.diffs/a.html" in tracked
    notebook(book, "print('changed')")
    assert commit(me, project).code != 0
    commit(me, project).ok()
    assert "changed" in me.run("git", "show", "HEAD:sub/.diffs/a.py", cwd=project).ok().out


def test_the_hook_that_checks_writes_nothing(me: Person, project: Path) -> None:
    entry, files = hooks()["workbench-diffs-check"]
    book = notebook(project / "sub/a.ipynb").relative_to(project)
    assert re.search(files, str(book)) and re.search(files, "sub/.diffs/a.py") and not re.search(files, "a.py")
    before = tree(project)
    assert me.run(*shlex.split(entry), book, cwd=project).code == 1
    assert tree(project) == before


class Watch:
    """`workbench diffs --watch` in the background."""

    def __init__(self, me: Person, project: Path, *, wait: bool = True) -> None:
        self.me, self.project = me, project
        self.child = me.start("workbench", "diffs", "--watch", cwd=project)
        assert self.child.stderr
        while wait and "Ctrl-C" not in self.child.stderr.readline():
            assert self.child.poll() is None

    def sees(self, what: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end and self.child.poll() is None, "nothing has happened"
            time.sleep(0.05)

    def stop(self, number: int) -> Result:
        self.child.send_signal(number)
        return self.me.wait(self.child, timeout=20)


@pytest.fixture
def watch(me: Person, project: Path) -> Iterator[Watch]:
    notebook(project / "a.ipynb")
    yield Watch(me, project)


def test_watch_follows_other_editors(project: Path, watch: Watch) -> None:
    script = project / ".diffs/a.py"
    assert script.exists()
    notebook(project / "a.ipynb", "print('saved')")
    watch.sees(lambda: "saved" in script.read_text())
    saved = notebook(project / "sub/.tmp.ipynb", "print('moved there, as editors do')")
    saved.rename(project / "sub/b.ipynb")
    watch.sees((project / "sub/.diffs/b.html").exists)
    (project / "a.ipynb").rename(project / "c.ipynb")
    watch.sees(lambda: not script.exists() and (project / ".diffs/c.py").exists())
    (project / "sub").rename(project / "other")
    (project / "other/b.ipynb").unlink()
    watch.sees(lambda: not (project / "other/.diffs").exists())
    (project / "c.ipynb").write_text("{")
    time.sleep(1)
    notebook(project / "c.ipynb", "print('whole again')")
    watch.sees(lambda: "whole again" in (project / ".diffs/c.py").read_text())
    result = watch.stop(signal.SIGINT)
    assert result.code == 0 and "Traceback" not in result.err, str(result)
    lines = [line.split("  ", 1)[1].rsplit(" (")[0] for line in result.out.splitlines() if re.match(r"\d\d:", line)]
    assert lines[:2] == ["written  a.ipynb", "written  sub/b.ipynb"], result.out
    assert {"removed  a.ipynb", "written  c.ipynb", "removed  other/b.ipynb"} <= set(lines), result.out


def test_watch_leaves_out_what_git_ignores(project: Path, watch: Watch) -> None:
    (project / ".gitignore").write_text("scratch\n")
    notebook(project / "scratch/x.ipynb")
    notebook(project / ".ipynb_checkpoints/a-checkpoint.ipynb")
    notebook(project / "z.ipynb")
    watch.sees((project / ".diffs/z.html").exists)
    assert sorted(path.name for path in project.rglob("*.py")) == ["a.py", "z.py"]


def test_what_is_saved_while_it_starts_is_not_missed(me: Person, project: Path) -> None:
    books = [notebook(project / f"{number}.ipynb") for number in range(8)]
    watch = Watch(me, project, wait=False)
    copy = project / ".diffs/0.py"
    watch.sees(copy.exists)
    for book in books:
        notebook(book, "print('saved meanwhile')")
    watch.sees(lambda: all("meanwhile" in (project / f".diffs/{book.stem}.py").read_text() for book in books))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_watch_ends_with_its_terminal(watch: Watch, number: int) -> None:
    result = watch.stop(number)
    assert result.code == 0 and "Traceback" not in result.err, str(result)


def test_diff_says_what_git_cannot_compare(me: Person, project: Path) -> None:
    book = notebook(project / "a.ipynb")
    assert "no commit yet" in me.run("workbench", "diff", book, cwd=project).fails(2)
    commit(me, project).ok()
    same = me.run("workbench", "diff", "a.ipynb", cwd=project).ok()
    assert same.out == "a.ipynb: no difference between HEAD and the file.\n"
    assert "no revision 'main~7'" in me.run("workbench", "diff", "a.ipynb", "main~7", cwd=project).fails(2)
    assert "no revision '--help'" in me.run("workbench", "diff", "a.ipynb", "--", "--help", cwd=project).fails(2)
    new = notebook(project / "b [1].ipynb")
    assert "git add 'b [1].ipynb'" in me.run("workbench", "diff", new, cwd=project).fails(2)
    assert "does not exist" in me.run("workbench", "diff", "c.ipynb", cwd=project).fails(2)
    outside = notebook(me.projects / "d.ipynb")
    assert "not in a git repository" in me.run("workbench", "diff", outside, cwd=project).fails(2)


def test_diff_without_nbdime_and_without_a_network(me: Person, project: Path, tmp_path: Path) -> None:
    book = notebook(project / "a.ipynb")
    commit(me, project).ok()
    notebook(book, "print('changed')")
    nowhere = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty"), "UV_TOOL_DIR": str(tmp_path / "tools")}
    said = me.run("workbench", "diff", book, cwd=project, env=nowhere).fails(4)
    assert "pip install 'nbdime" in said

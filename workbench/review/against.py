"""A notebook against git, in nbdime's own web view."""

import os
import re
import shlex
import shutil
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from workbench import process
from workbench.errors import ConfigError, EngineError, ProjectError
from workbench.inside.diffs.paths import SUFFIX
from workbench.review import git, scope

PROGRAM = "nbdiff-web"
NBDIME = "nbdime>=4,<5"
INSTALL = f"pip install '{NBDIME}'"
LITERAL = "--literal-pathspecs"


def compared(given: Path, revisions: Sequence[str]) -> Path:
    """The whole path of a notebook that git can compare.

    Raises ProjectError where git has nothing to compare, ConfigError for a revision that it does not know.
    """
    notebook = scope.whole(given)
    if notebook.suffix != SUFFIX or not notebook.parent.is_dir():
        raise ProjectError(f"{given} is no notebook.", "Give a file that ends in .ipynb.")
    if git.top(notebook.parent) is None:
        hint = f"Two files are compared by nbdime itself: uvx --from '{NBDIME}' {PROGRAM} ONE.ipynb OTHER.ipynb"
        raise ProjectError(f"{given} is not in a git repository.", hint)
    for revision in revisions:
        if _commit(notebook.parent, revision) is None:
            raise _unknown(notebook.parent, revision)
    if not any(_has(notebook, revision) for revision in revisions) and not _tracked(notebook):
        raise _absent(notebook)
    return notebook


def differs(notebook: Path, revisions: Sequence[str]) -> bool:
    """Whether git sees a difference between two revisions, or between one and the file on disk."""
    return git.run(notebook.parent, LITERAL, "diff", "--quiet", *revisions, "--", notebook.name).code != 0


def show(notebook: Path, revisions: Sequence[str], environ: Mapping[str, str], *, browser: bool) -> Iterator[str]:
    """Run nbdime's server on 127.0.0.1 until its page is closed; yields the page's address. EngineError if it fails."""
    argv = [*_program(environ), "--ip", "127.0.0.1", "--log-level", "INFO"]
    if not browser:
        argv += ["--browser", "none"]
    # As commits: nbdime takes a revision that is also the name of a file for that file.
    commits = [_commit(notebook.parent, revision) or revision for revision in revisions]
    said: deque[str] = deque(maxlen=6)
    call = [*argv, *commits, notebook.name]
    with closing(process.lines(call, env={"GIT_LITERAL_PATHSPECS": "1"}, cwd=notebook.parent)) as lines:
        while True:
            try:
                line = next(lines)
            except StopIteration as end:
                code: int = end.value
                break
            said.append(line)
            if found := re.search(r"\bURL: (http://\S+)", line):
                yield found[1]
    if code:
        raise EngineError("nbdime could not show the notebook.", f"Try it by itself: {PROGRAM} --help", detail=said)


def _program(environ: Mapping[str, str]) -> list[str]:
    """nbdime of this environment, else the one on PATH, else uv's, which fetches it unless it is in its cache."""
    beside = str(Path(sys.executable).parent)
    if found := shutil.which(PROGRAM, path=os.pathsep.join((beside, environ.get("PATH", os.defpath)))):
        return [found]
    uv, words = _uv(environ), ["--from", NBDIME, PROGRAM]
    done = None
    for offline in ([], ["--offline"]):
        argv = [uv, "tool", "run", *offline, *words]
        done = process.run([*argv, "--version"])
        if done.code == 0:
            return argv
    detail = done.err.splitlines() if done else ()
    raise EngineError("nbdime is not installed, and uv could not fetch it.", INSTALL, detail=detail)


def _uv(environ: Mapping[str, str]) -> str:
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError:
        if found := shutil.which("uv", path=environ.get("PATH")):
            return found
    raise EngineError("nbdime is not installed, and neither is uv, which could fetch it.", INSTALL)


def _absent(notebook: Path) -> ProjectError:
    if not notebook.exists():
        return ProjectError(f"{notebook} does not exist, and git does not have it.", "Check the path.")
    return ProjectError(
        f"git does not have {notebook.name}, so there is nothing to compare it with.",
        f"Add it: git add {shlex.quote(notebook.name)} && git commit",
    )


def _unknown(folder: Path, revision: str) -> ConfigError:
    if _commit(folder, "HEAD") is None:
        return ConfigError(
            "This repository has no commit yet, so there is nothing to compare with.", "Make one: git commit"
        )
    return ConfigError(
        f"git knows no revision {revision!r}.", "Name a commit (git log --oneline lists them), a branch or a tag."
    )


def _commit(folder: Path, revision: str) -> str | None:
    """The commit that a revision means."""
    done = git.run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return done.out.split()[-1] if done.code == 0 else None


def _has(notebook: Path, revision: str) -> bool:
    commit = _commit(notebook.parent, revision)
    return git.run(notebook.parent, "cat-file", "-e", f"{commit}:./{notebook.name}").code == 0


def _tracked(notebook: Path) -> bool:
    return git.run(notebook.parent, LITERAL, "ls-files", "--error-unmatch", "--", notebook.name).code == 0

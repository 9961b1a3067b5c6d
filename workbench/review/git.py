"""What git says about notebooks and their copies. Without git, or outside a repository, it has nothing to say."""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench import process
from workbench.errors import ProjectError
from workbench.inside.diffs import paths

HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git tells its hooks about one repository, which must not be taken for that of another folder."""


def run(folder: Path, *arguments: str, stdin: bytes | None = None) -> process.Done:
    """`git` in a folder. A non-zero exit code is a result."""
    unset = [word for name in HOOK for word in ("-u", name)]
    env = {"GIT_OPTIONAL_LOCKS": "0"}
    return process.run(["env", *unset, "git", *arguments], env=env, cwd=folder, stdin=stdin)


@functools.cache
def top(folder: Path) -> Path | None:
    """The folder of the repository that a folder is in, None outside of any."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def ignored(files: Iterable[Path]) -> set[Path]:
    """Those of the files that git ignores; what is tracked is never ignored. Raises ProjectError when git fails."""
    found = set()
    for root, members in _by_repository(files).items():
        # `./` keeps a name that begins with `:` a name.
        asked = b"\0".join(b"./" + os.fsencode(each.relative_to(root)) for each in members)
        done = run(root, "check-ignore", "--stdin", "-z", stdin=asked)
        if done.code not in (0, 1):
            raise _failed(root, done)
        found |= {root / name for name in done.out.split("\0") if name}
    return found


def not_added(notebooks: Iterable[Path]) -> set[Path]:
    """Those of the notebooks that git tracks while one of their copies waits to be added."""
    found = set()
    for root, members in _by_repository(notebooks).items():
        tracked = _listed(root, "--cached")
        owners = {paths.notebook_of(copy) for copy in _copies(root, _listed(root, "--others", "--exclude-standard"))}
        found |= {each for each in members if each in tracked and each in owners}
    return found


def to_add(notebooks: Iterable[Path], copies: Iterable[Path]) -> set[Path]:
    """Those for which `git add` has something to do: notebooks, unless it ignores their copies, and lost copies."""
    scripts = {paths.copies(each).script: each for each in notebooks if top(each.parent)}
    found = {scripts[script] for script in scripts.keys() - ignored(scripts)}
    for root, members in _by_repository(copies).items():
        found |= set(members) & set(_copies(root, _listed(root, "--cached")))
    return found


def why_ignored(copy: Path) -> str | None:
    """The rule by which git ignores a file that need not be there, as `.gitignore:3: .*`; None where it does not."""
    root = top(copy.parent)
    if root is None:
        return None
    done = run(root, "check-ignore", "-v", "--no-index", "--", str(copy))
    rule = done.out.partition("\t")[0]
    file, line, pattern = [*rule.split(":", 2), "", "", ""][:3]
    return f"{file}:{line}: {pattern}" if done.code == 0 and not pattern.startswith("!") else None


def _listed(root: Path, *which: str) -> set[Path]:
    done = run(root, "ls-files", "-z", *which)
    if done.code != 0:
        raise _failed(root, done)
    return {root / name for name in done.out.split("\0") if name}


def _copies(root: Path, files: Iterable[Path]) -> Iterable[Path]:
    """The files, each image as the folder that it is in."""
    for each in files:
        inner = each.relative_to(root).parts
        if paths.FOLDER in inner[:-1]:
            yield root.joinpath(*inner[: inner.index(paths.FOLDER) + 2])


def _by_repository(files: Iterable[Path]) -> Mapping[Path, list[Path]]:
    """The files that are in a repository, by its folder."""
    groups: dict[Path, list[Path]] = {}
    for each in files:
        if root := top(each.parent):
            groups.setdefault(root, []).append(each)
    return groups


def _failed(root: Path, done: process.Done) -> ProjectError:
    return ProjectError(
        f"git cannot read the repository {root}.", f"Try `git -C {root} status`.", detail=done.err.splitlines()
    )

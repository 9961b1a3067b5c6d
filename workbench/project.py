"""Where the project is and which files of it matter. Reads the disk, writes nothing."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from workbench import dependencies
from workbench.errors import ProjectError
from workbench.model import DependencyFile, Project

MARKERS = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "uv.lock",
    "pylock.toml",
    "workbench.toml",
    "docker/dockerutils.cfg",
    "binder",
    ".binder",
    ".git",
)
DOCKERFILE = "docker/notebook/Dockerfile"
CONTEXT_LIMIT = 20 * 1000 * 1000
"""Bytes that the files beside a project's own Dockerfile may have together."""

_NOT_CONTEXT = {"__pycache__", ".ipynb_checkpoints", ".git"}


def find(path: Path, *, cwd: Path | None = None, home: Path | None = None) -> Project:
    """The project that `path` means, as read from disk.

    A folder is the project itself. A notebook, or `.` (no PATH given), means the project around it: the nearest
    folder, from there upwards, with a `pyproject.toml`, `.git` or another of MARKERS; so `run-notebook` typed in
    `notebooks/` of a repository opens the repository. Climbing ends at a git root, below the home folder and where
    the owner changes; with nothing found, the folder itself is the project.
    Raises ProjectError for what cannot be opened, ConfigError for a broken `pyproject.toml`.
    """
    root = _root(path, cwd, (home or Path.home()).resolve())
    files = dependencies.read(root)
    python, python_from, notices = dependencies.python(files)
    conda = tuple(
        f"{name} is not installed: conda environments are not supported." for name in dependencies.conda_files(root)
    )
    dockerfile, context = _dockerfile(root)
    return Project(
        root=root,
        name=slug(root.name),
        dependencies=files,
        python=python,
        python_from=python_from,
        installable=dependencies.installable(files),
        dockerfile=dockerfile,
        dockerfile_context=context,
        owner=_owner(root),
        notices=(*notices, *conda),
    )


def slug(text: str) -> str:
    """A name reduced to `[a-z0-9-]`, at most 40 characters, never empty: accents and strokes go, letters stay."""
    plain = "".join(_latin(character) for character in unicodedata.normalize("NFKD", text.casefold()))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].rstrip("-") or "project"


def _latin(character: str) -> str:
    """A letter's base: `l` for `ł`, which has no decomposition; the character itself where there is none."""
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    base = re.match(r"LATIN SMALL (?:LETTER|LIGATURE) ([A-Z]{1,2})\b", unicodedata.name(character, ""))
    return base[1].lower() if base else "-"


def _root(path: Path, cwd: Path | None, home: Path) -> Path:
    given = _existing(path, cwd)
    if given.is_dir():
        root = _climb(given, home) if path == Path() else given
    elif given.suffix == ".ipynb" and given.is_file():
        _check_access(given, os.R_OK, "cannot be read")
        root = _climb(given.parent, home)
    else:
        raise ProjectError(
            f"{path} is neither a folder nor a notebook.", "Give a folder, or a file that ends in .ipynb."
        )
    if root == Path(root.anchor) or home.is_relative_to(root):
        what = "Your home folder" if root == home else str(root)
        raise ProjectError(
            f"{what} itself cannot be a project: everything in it would be in the notebook's reach.",
            "Make a folder for the project, and give that: mkdir -p ~/my-project && run-notebook ~/my-project",
        )
    _check_access(root, os.R_OK | os.X_OK, "cannot be read")
    _check_access(root, os.W_OK, "cannot be written to")
    return root


def _existing(path: Path, cwd: Path | None) -> Path:
    _check_characters(path)
    try:
        found = ((cwd or Path.cwd()) / path).resolve(strict=True)
    except FileNotFoundError as error:
        raise ProjectError(f"{path} does not exist.", "Check the path, or make the folder first.") from error
    except PermissionError as error:
        raise ProjectError(f"{path} cannot be read: permission denied.", "Choose a folder of your own.") from error
    except (OSError, RuntimeError) as error:  # a loop of links, a file as a folder, a name too long
        raise ProjectError(f"{path} cannot be opened: {error}.", "Check the path.") from error
    _check_characters(found)
    return found


def _check_characters(path: Path) -> None:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in str(path)):
        raise ProjectError(
            f"The path {str(path)!a} has a line break, a control character or bytes that are not UTF-8 in it.",
            "Rename the folder: container engines cannot mount it.",
        )


def _check_access(path: Path, mode: int, what: str) -> None:
    if not os.access(path, mode):
        raise ProjectError(
            f"{path} {what}: permission denied, or a read-only file system.",
            f"See who owns it with `ls -ld`, or copy the project to a folder of your own: {path}",
        )


def _climb(start: Path, home: Path) -> Path:
    for folder in _upwards(start, home):
        if any((folder / marker).exists() for marker in MARKERS):
            return folder
    return start


def _upwards(start: Path, home: Path) -> Iterator[Path]:
    """The folder and those above it, for as long as they may be the project."""
    owner = start.stat().st_uid
    for folder in (start, *start.parents):
        if folder == Path(folder.anchor) or home.is_relative_to(folder):
            return
        # A marker that somebody else left above, say in /tmp, must not make that folder the project.
        if folder.stat().st_uid != owner:
            return
        yield folder


def _dockerfile(root: Path) -> tuple[DependencyFile | None, tuple[DependencyFile, ...]]:
    """The project's own Dockerfile, and every other file of its folder."""
    if not (root / DOCKERFILE).is_file():
        return None, ()
    files: list[DependencyFile] = []
    size = 0
    for path in _context(root / DOCKERFILE):
        size += path.stat().st_size
        if size > CONTEXT_LIMIT:
            raise ProjectError(
                f"docker/notebook holds more than {CONTEXT_LIMIT // 1_000_000} MB, all of which a build would send.",
                "Move data elsewhere in the project, which is mounted, or download it in the Dockerfile.",
            )
        files.append(dependencies.read_file(root, path))
    return files[0], tuple(files[1:])


def _context(dockerfile: Path) -> Iterator[Path]:
    """The Dockerfile, then its neighbours in order. Raises ProjectError for links that leave the folder."""
    yield dockerfile
    for folder, folders, names in os.walk(dockerfile.parent):
        folders[:] = sorted(set(folders) - _NOT_CONTEXT)
        for path in (Path(folder, name) for name in (*folders, *sorted(names))):
            if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(dockerfile.parent)):
                raise ProjectError(
                    f"{path.relative_to(dockerfile.parents[2])} is a symbolic link that leaves docker/notebook.",
                    "Copy the file there: a build sees only that folder and the dependency files.",
                )
            if path.is_file() and path != dockerfile:
                yield path


def _owner(root: Path) -> tuple[int, int] | None:
    if not hasattr(os, "getuid"):
        return None
    status = root.stat()
    return status.st_uid, status.st_gid

"""What a project says of its own files: which stay on their own side."""

import os
from collections.abc import Iterator
from pathlib import Path

from workbench.docks.sync import patterns as pure
from workbench.docks.sync.copy import What

TOP = (".gitignore", ".dockerignore")


def patterns(what: What) -> tuple[str, ...]:
    """The words by which unison is told, of every .gitignore, the .dockerignore and the project's settings."""
    root = Path(what.project)
    found = pure.read(pure.ALWAYS)
    found += pure.of_docker(_lines(root / ".dockerignore"))
    for folder in _folders(root):
        above = "" if folder == root else folder.relative_to(root).as_posix()
        found += pure.read(_lines(folder / ".gitignore"), above)
    return pure.arguments([*found, *pure.read(what.exclude)])


def signature(what: What) -> tuple[int, ...]:
    """Another one when the files of the top that say it were written."""
    return tuple(_written(Path(what.project, name)) for name in TOP)


def _folders(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root):
        below[:] = [name for name in below if name not in pure.ALWAYS]
        if ".gitignore" in files:
            yield Path(folder)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig", "replace").split("\n")
    except OSError:
        return []


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

"""Where the copies of a notebook lie, and whose copy a file is. Pure."""

from pathlib import Path
from typing import NamedTuple

FOLDER = ".diffs"
SUFFIX = ".ipynb"
IMAGES = "_files"
"""End of the name of the folder with a notebook's images."""


class Copies(NamedTuple):
    """The three places that belong to one notebook."""

    script: Path
    page: Path
    images: Path
    """A folder, which is there only when the notebook has images."""


def copies(notebook: Path) -> Copies:
    """Where the copies of `notebook` lie: in `.diffs/` beside it."""
    folder, name = notebook.parent / FOLDER, notebook.name.removesuffix(SUFFIX)
    return Copies(folder / f"{name}.py", folder / f"{name}.html", folder / f"{name}{IMAGES}")


def notebook_of(copy: Path) -> Path | None:
    """The notebook that a file or folder of a `.diffs/` is a copy of, None for anything else."""
    if copy.parent.name != FOLDER:
        return None
    for end in (".py", ".html", IMAGES):
        if copy.name.endswith(end) and copy.name != end:
            return copy.parent.parent / f"{copy.name.removesuffix(end)}{SUFFIX}"
    return None


def wanted(notebook: Path) -> bool:
    """Whether a path is a notebook that gets copies: none below a hidden folder (`.ipynb_checkpoints`, `.diffs`).

    `notebook` is relative to the project.
    """
    return notebook.suffix == SUFFIX and not any(part.startswith(".") for part in notebook.parts)

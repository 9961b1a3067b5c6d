"""Which notebooks a call is about. Reads the disk, writes nothing."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ProjectError
from workbench.inside.diffs import paths
from workbench.review import git

NOT_ENTERED = {"node_modules", "__pycache__"}
"""Folders of installed or derived files, besides hidden ones and virtual environments."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for. All paths are absolute."""

    folders: tuple[Path, ...]
    """Folders that are meant with all that is in them."""
    named: tuple[Path, ...]
    """Notebooks given by name, there or not: of one that is gone the copies may be left."""
    left_out: tuple[Path, ...] = ()
    """What was given by name and gets no copies, as it is hidden, or in a hidden folder."""

    def notebooks(self) -> list[Path]:
        """Every notebook that is there and gets copies, in order."""
        walked = [each for folder in self.folders for each in walk(folder)]
        kept = set(walked) - git.ignored(walked)
        return sorted(kept | {each for each in self.named if each.is_file()})

    def orphans(self, find: Callable[[Path], Collection[Path]]) -> list[Path]:
        """Copies whose notebook is gone. `find` lists those below a folder."""
        below = {copy for folder in self.folders for copy in find(folder) if _entered(copy.parent.parent, folder)}
        gone = {each for each in self.named if not each.exists()}
        beside = {copy for folder in {each.parent for each in gone} for copy in find(folder)}
        return sorted(below | {copy for copy in beside if paths.notebook_of(copy) in gone})

    def covers(self, notebook: Path) -> bool:
        """Whether a path is, or would be, one of the notebooks; what git ignores aside."""
        inside = (
            notebook.suffix == paths.SUFFIX and not notebook.name.startswith(".") and _entered(notebook.parent, folder)
            for folder in self.folders
        )
        return notebook in self.named or any(inside)


def scope(given: Sequence[Path]) -> Scope:
    """What the paths mean: folders, notebooks, or copies in a `.diffs/`; without any, this folder's project."""
    if not given:
        from workbench import project

        return Scope((project.find(Path()).root,), ())
    absolute = [whole(each) for each in given]
    folders = tuple(each for each in absolute if each.is_dir())
    named = [_original(each) or each for each in absolute if not each.is_dir()]
    hidden = tuple(each for each in named if _is_hidden(each))
    return Scope(folders, tuple(_checked(each) for each in named if each not in hidden), hidden)


def walk(folder: Path) -> Iterator[Path]:
    """The notebooks below a folder: not in hidden folders, not among installed packages, not behind links."""
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_entered(Path(inner, name)))
        for name in names:
            path = Path(inner, name)
            if paths.wanted(Path(name)) and path.is_file():
                yield path


def whole(path: Path) -> Path:
    """A path from the root of the disk on. A notebook that is a link stays one: its copies lie beside the link."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _original(path: Path) -> Path | None:
    """The notebook that a file in `.diffs/` is a copy of; an image is part of its folder."""
    return paths.notebook_of(path) or paths.notebook_of(path.parent)


def _checked(path: Path) -> Path:
    """A notebook that is there, or was. Raises ProjectError for anything else."""
    if path.exists():
        if path.suffix == paths.SUFFIX and path.is_file():
            return path
        raise ProjectError(
            f"{path} is neither a folder nor a notebook.", "Give a folder, or a file that ends in .ipynb."
        )
    if any(each.exists() for each in paths.copies(path)):
        return path
    raise ProjectError(f"{path} does not exist.", "Check the path.")


def _is_hidden(path: Path) -> bool:
    """Whether a path leads through a hidden folder of this folder, or of its repository."""
    base = next(each for each in (Path.cwd(), git.top(path.parent), path.parent) if each and path.is_relative_to(each))
    return any(part.startswith(".") for part in path.relative_to(base).parts)


def _entered(folder: Path, root: Path) -> bool:
    """Whether a walk from `root` comes to `folder`."""
    if not folder.is_relative_to(root):
        return False
    inner = folder.relative_to(root)
    return all(_is_entered(root.joinpath(*inner.parts[: depth + 1])) for depth in range(len(inner.parts)))


def _is_entered(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in NOT_ENTERED:
        return False
    return not (folder / "pyvenv.cfg").exists()

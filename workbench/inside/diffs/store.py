"""The copies of notebooks on disk: written, moved, removed, compared.

Only what has the form of a copy is ever removed: a file that somebody else has put into a `.diffs/` stays there.
"""

import os
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.inside.diffs.folder import Folder, opened
from workbench.inside.diffs.paths import FOLDER, IMAGES, Copies, copies, notebook_of
from workbench.inside.saves import SKIPPED

if TYPE_CHECKING:
    from workbench.inside.diffs.convert import Converted

State = Literal["fresh", "stale", "missing"]
SCRIPT = re.compile(rb"\S{1,3} %%|\Z")
"""How a script begins, in any language; that of a notebook without cells is empty."""
PAGE = re.compile(rb"<!doctype html>.{0,100}<meta http-equiv=\"Content-Security-Policy\" content=\"default-src", re.S)
IMAGE = re.compile(r"[0-9a-f]{8,64}\.[a-z]{3,4}")
HEAD = 400
"""Bytes of a file that tell whether it has the form of a copy."""


def write(notebook: Path, converted: "Converted") -> bool:
    """Make the copies of a notebook be `converted`; files that are so already are not touched.

    Returns whether anything changed. A notebook that has gone meanwhile leaves no copies behind. Raises OSError, which
    is FileNotFoundError when the whole folder has gone.
    """
    places = copies(notebook)
    with opened(notebook.parent) as beside:
        try:
            changed = _write(beside, places, converted)
        finally:
            beside.remove_empty(FOLDER)
        is_there = beside.has_file(notebook.name)
    return changed if is_there else remove(notebook)


def remove(notebook: Path) -> bool:
    """Remove the copies of a notebook; returns whether there were any."""
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        opened(notebook.parent) as beside,
        beside.inner(FOLDER) as diffs,
    ):
        found = [place.name for place in copies(notebook) if _is_ours(diffs, place.name)]
        for name in found:
            _remove_images(diffs, name) if name.endswith(IMAGES) else diffs.remove(name)
        beside.remove_empty(FOLDER)
        return bool(found)
    return False


def move(old: Path, new: Path) -> bool:
    """Have the copies follow a notebook that was renamed; returns whether there were any.

    Those in a folder that was renamed went with it. What cannot follow, to another disk say, is removed.
    """
    moved = False
    with suppress(OSError):  # which the copies under the new name meet again when they are written
        moved = _move(copies(old), copies(new))
    return remove(old) or moved


def state(notebook: Path) -> State:
    """Whether the copies are what the notebook would be converted to now. Raises Unreadable and OSError."""
    from workbench.inside.diffs.convert import convert

    places = copies(notebook)
    wanted = convert(notebook.read_bytes(), notebook.stem)
    try:
        with opened(notebook.parent) as beside, beside.inner(FOLDER) as diffs:
            found = [diffs.read(place.name) for place in (places.script, places.page)]
            images = _images(diffs, places.images.name)
    except FileNotFoundError:
        return "missing"
    if found == [None, None]:
        return "missing"
    fresh = found == [_bytes(wanted.script), _bytes(wanted.page)] and images == wanted.images
    return "fresh" if fresh else "stale"


def orphans(root: Path) -> list[Path]:
    """Copies below `root` whose notebook is gone: scripts, pages, folders of images."""
    found: list[Path] = []
    for folder, folders, _ in os.walk(root):
        if FOLDER in folders and not Path(folder, FOLDER).is_symlink():
            found += _orphans(Path(folder, FOLDER))
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED]
    return sorted(found)


def _orphans(diffs: Path) -> Iterator[Path]:
    with opened(diffs) as folder:
        for name in folder.names():
            notebook = notebook_of(diffs / name)
            if notebook and not notebook.is_file() and _is_ours(folder, name):
                yield diffs / name


def _write(beside: Folder, places: Copies, converted: "Converted") -> bool:
    """Images before the page that shows them, and removed after it."""
    with beside.inner(FOLDER, make=True) as diffs:
        changed = [
            _add_images(diffs, places.images.name, converted.images),
            diffs.put(places.page.name, _bytes(converted.page)),
            diffs.put(places.script.name, _bytes(converted.script)),
            _remove_images(diffs, places.images.name, but=converted.images),
        ]
        diffs.sweep()
    return any(changed)


def _move(old: Copies, new: Copies) -> bool:
    with opened(old.script.parent.parent) as beside, beside.inner(FOLDER) as diffs:
        found = [(one.name, other.name) for one, other in zip(old, new, strict=True) if _is_ours(diffs, one.name)]
        if found:
            with opened(new.script.parent.parent) as there, there.inner(FOLDER, make=True) as target:
                _remove_images(target, new.images.name)
                for name, new_name in found:
                    diffs.move(name, target, new_name)
    return bool(found)


def _is_ours(diffs: Folder, name: str) -> bool:
    """Whether an entry is there and has the form of a copy."""
    if name.endswith(IMAGES):
        with suppress(FileNotFoundError, NotADirectoryError), diffs.inner(name) as folder:
            names = folder.names()
            return not names or any(map(IMAGE.fullmatch, names))
        return False
    head = diffs.read(name, HEAD)
    return head is not None and (PAGE if name.endswith(".html") else SCRIPT).match(head) is not None


def _images(diffs: Folder, name: str) -> dict[str, bytes]:
    """The images in a folder of theirs, by name."""
    with suppress(FileNotFoundError), diffs.inner(name) as folder:
        found = {image: folder.read(image) for image in folder.names() if IMAGE.fullmatch(image)}
        return {image: content for image, content in found.items() if content is not None}
    return {}


def _add_images(diffs: Folder, name: str, images: Mapping[str, bytes]) -> bool:
    if not images:
        return False
    with diffs.inner(name, make=True) as folder:
        written = [folder.put(image, content) for image, content in images.items()]
    return any(written)


def _remove_images(diffs: Folder, name: str, *, but: Container[str] = ()) -> bool:
    """Remove the images of a folder, and the folder if nothing else is in it; returns whether there were any."""
    unused: list[str] = []
    with suppress(FileNotFoundError, NotADirectoryError), diffs.inner(name) as folder:
        unused = [image for image in folder.names() if IMAGE.fullmatch(image) and image not in but]
        for image in unused:
            folder.remove(image)
        folder.sweep()
    diffs.remove_empty(name)
    return bool(unused)


def _bytes(text: str) -> bytes:
    """As UTF-8. Half of a pair, which JSON can hold, is no character."""
    return text.encode("utf-8", "replace")

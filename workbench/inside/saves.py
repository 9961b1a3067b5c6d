"""No save is lost: those that run when the server is told to stop are finished, a cut one is put right at the start."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = ".~"
"""How Jupyter's copy of a file begins that it makes before it writes into it."""
SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


class Saves:
    """Counts the saves that are being written."""

    def __init__(self) -> None:
        self._running = 0

    def __enter__(self) -> None:
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1

    async def finished(self, *, quiet: float = 0.2, patience: float = 20.0) -> bool:
        """Wait until no save has run for `quiet` seconds: a body that is still arriving becomes a save by then.

        Gives up after `patience` seconds; returns whether all is written.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        calm = loop.time()
        while loop.time() - calm < quiet:
            if loop.time() > end:
                return False
            await asyncio.sleep(0.02)
            if self._running:
                calm = loop.time()
        return True


def counted(manager: type[Any], saves: Saves) -> type[Any]:
    """A contents manager class like `manager` that counts its asynchronous saves in `saves`."""

    class Counted(manager):  # type: ignore[misc]
        async def save(self, model: dict[str, Any], path: str = "") -> Any:
            with saves:
                return await super().save(model, path)

    Counted.__name__ = manager.__name__
    Counted.__doc__ = manager.__doc__
    return Counted


def recover(root: Path, pause: float = 1.0) -> list[Path]:
    """Put back each notebook that a killed server left half-written, from the copy beside it; returns their paths.

    A file that is whole, or is being written by another program (looked at again after `pause` seconds), is not
    touched.
    """
    broken = [copy for copy in _copies(root) if _is_cut(copy)]
    if broken:
        time.sleep(pause)
    found = [copy for copy in broken if _is_cut(copy)]
    return [copy.replace(_original(copy)) for copy in found]


def _copies(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in SKIPPED]
        yield from (Path(folder, name) for name in names if name.startswith(MARK) and name.endswith(".ipynb"))


def _original(copy: Path) -> Path:
    return copy.with_name(copy.name.removeprefix(MARK))


def _is_cut(copy: Path) -> bool:
    notebook = _original(copy)
    return notebook.is_file() and not _is_notebook(notebook) and _is_notebook(copy)


def _is_notebook(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and "cells" in value

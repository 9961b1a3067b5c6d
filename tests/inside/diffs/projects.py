"""A real server with copies on, and a folder of its notebooks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from inside.serving import Serving, free_port, serving


class Project:
    """A folder of a server's, with notebooks in it. Names are relative to it."""

    def __init__(self, server: Serving, root: Path, name: str = "") -> None:
        self.server, self.root, self.folder, self.name = server, root, root / name, name
        self.folder.mkdir(parents=True, exist_ok=True)

    def url(self, name: str) -> str:
        return f"api/contents/{self.path(name)}"

    def path(self, name: str) -> str:
        """As the server names it."""
        return f"{self.name}/{name}".strip("/")

    def save(self, name: str, source: str = "x = 1") -> None:
        self.server.jupyter.call("PUT", self.url(name), {"type": "notebook", "content": notebook(source)})

    def rename(self, old: str, new: str) -> None:
        self.server.jupyter.call("PATCH", self.url(old), {"path": self.path(new)})

    def delete(self, name: str) -> None:
        self.server.jupyter.call("DELETE", self.url(name))

    def script(self, name: str) -> str:
        """The script of a notebook, empty where there is none."""
        path = (self.folder / name).with_suffix(".py")
        with suppress(FileNotFoundError):
            return (path.parent / ".diffs" / path.name).read_text()
        return ""

    def copies(self) -> set[str]:
        """All that lies in `.diffs` folders, by the path."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob(".diffs/*")}

    def state(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.server.run / "diffs.json").read_text()))
        except FileNotFoundError:
            return {"pending": 0, "warnings": {}, "worker": None}


def notebook(source: str, *, image: str = "") -> dict[str, Any]:
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": image}}] if image else []
    cell = {"cell_type": "code", "id": "c1", "metadata": {}, "source": source, "outputs": outputs}
    return {"cells": [{**cell, "execution_count": 1}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def both(*names: str) -> set[str]:
    """Paths of the copies of notebooks that have no image."""
    paths = [Path(name) for name in names]
    return {str(path.parent / ".diffs" / f"{path.stem}{end}") for path in paths for end in (".py", ".html")}


@contextmanager
def started(folder: Path, root: Path, *options: str, **more: str) -> Iterator[Serving]:
    root.mkdir(exist_ok=True)
    told = {"WORKBENCH_DIFFS": "1", "WORKBENCH_OPTIONS": json.dumps(options), **more}
    with serving(folder, free_port(), root, **told) as server:
        yield server


def workers(server: Serving) -> list[psutil.Process]:
    """Processes of the server that convert."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if "worker" in " ".join(child.cmdline())]

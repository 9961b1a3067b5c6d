"""A notebook as a page to review: HTML without scripts, its images in files of their own.

The page is nbconvert's in its parts (Markdown with formulas, ANSI colours), in a template of our own. nbconvert's
exporter looks for templates and settings in the current folder and in people's homes, so its pages are not the same
everywhere; and it takes ten times as long.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from workbench.inside.diffs import code, display, markdown, text
from workbench.inside.diffs.fragment import Fragment
from workbench.inside.diffs.noise import quiet_traceback
from workbench.inside.diffs.notebook import Cell, Notebook, Output
from workbench.inside.diffs.paths import IMAGES

TEMPLATE = Path(__file__).parent / "template"


class Part(NamedTuple):
    """One part of a cell, as the template gets it."""

    kind: str
    """The class of its element: `source`, `text`, or the kind of an output."""
    html: Markup


def render(notebook: Notebook, name: str) -> tuple[str, dict[str, bytes]]:
    """The page of a notebook whose file is `name`.ipynb, and its images by file name."""
    folder = quote(os.fsencode(f"{name}{IMAGES}"), safe="")
    found: dict[str, bytes] = {}
    cells = [(cell.kind, list(_parts(_pieces(cell, notebook.language, folder), found))) for cell in notebook.cells]
    shown = name.encode("utf-8", "replace").decode()
    return _template().render(name=shown, cells=cells), found


def _parts(pieces: Iterable[tuple[str, Fragment]], found: dict[str, bytes]) -> Iterable[Part]:
    for kind, piece in pieces:
        found |= piece.images
        # Safe: every function that makes a Fragment escapes or cleans what it is given.
        yield Part(kind, Markup(piece.html))  # noqa: S704


def _pieces(cell: Cell, language: str, folder: str) -> Iterable[tuple[str, Fragment]]:
    if cell.kind == "markdown":
        yield "text", markdown.html(cell.source, folder, cell.attachments)
    elif cell.source.strip():
        yield "source", code.cell(cell.source, language if cell.kind == "code" else "text")
    for output in cell.outputs:
        if piece := _output(output, folder):
            yield output.kind, piece


def _output(output: Output, folder: str) -> Fragment | None:
    if output.kind == "data":
        return display.html(output.data, folder)
    return Fragment(text.html(output.text, quiet_traceback) if output.kind == "error" else text.html(output.text))


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(TEMPLATE), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html.j2")

"""A notebook as a script in jupytext's percent format."""

import ast
import re
import warnings
from collections.abc import Callable
from typing import Any

import jupytext
from jupytext.formats import auto_ext_from_metadata
from jupytext.magics import comment_magic
from nbformat import from_dict

from workbench.inside.diffs.notebook import Notebook
from workbench.inside.diffs.words import words

PLAIN = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "-all", "comment_magics": False}
"""Jupytext's options: no header, nothing but the cells, and their code as we give it."""
ONE_LINE = {"lines_to_next_cell": 1}
"""Between two cells there is one empty line, whatever the cells are."""
OTHER_LANGUAGE = words(
    "! bash cmd cython file HTML html javascript js julia latex markdown octave perl R ruby script sh sql SVG svg sx "
    "system writefile"
)
"""Magics of IPython and of widespread extensions whose cells are not Python, whether or not they could be."""
_CELL_MAGIC = re.compile(r"\s*%%(!|\w+)")
_OPENING, _CLOSING = re.compile(r"[(\[{]"), re.compile(r"[)\]}]")
_AUTOMAGIC = re.compile(r"^(?:pip|conda|mamba|uv) +\w")
"""Magics that people write without their `%`, and that jupytext does not know."""
_SEPARATORS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What jupytext takes for an end of line, and Python does not."""


def render(notebook: Notebook) -> str:
    """The script: for Python always with magics as comments, for other languages in their own comments and code."""
    code, ending = _dialect(notebook.language)
    cells = [_raw(cell.kind, code(cell.source) if cell.kind == "code" else cell.source) for cell in notebook.cells]
    # Format 4.4: later ones give every cell a random name.
    whole = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"jupytext": PLAIN}, "cells": cells}
    return str(jupytext.writes(from_dict(whole), fmt=f"{ending}:percent"))  # type: ignore[no-untyped-call]


def python(source: str) -> str:
    """The code of a cell with IPython's magics as comments: Python, if the rest of it is Python."""
    if _is_python(source):
        return source
    magic = _CELL_MAGIC.match(source)
    if magic and magic[1] in OTHER_LANGUAGE:
        return _comment(source)
    lines = _commented(source)
    found = next(filter(_is_python, (lines, _joined(source, lines))), None)
    return found or (_comment(source) if magic else lines)


def _dialect(language: str) -> tuple[Callable[[str], str], str]:
    """What is done to the code of a language, and the file name ending by which jupytext knows it."""
    if language == "python":
        return python, "py"
    ending = auto_ext_from_metadata({"kernelspec": {"language": language}})
    return (str, ending.removeprefix(".")) if ending else (_comment, "py")


def _raw(kind: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "source": _SEPARATORS.sub(" ", source), "metadata": ONE_LINE, **code}


def _commented(source: str) -> str:
    lines = source.split("\n")
    pairs = zip(lines, comment_magic(lines.copy()), strict=True)
    changed = (_statement(old, new) if old != new else old for old, new in pairs)
    return "\n".join(_AUTOMAGIC.sub(r"# \g<0>", line) for line in changed)


def _joined(source: str, commented: str) -> str:
    """The same with the lines as comments that belong to a magic because its brackets are open."""
    made, opened = [], 0
    for old, new in zip(source.split("\n"), commented.split("\n"), strict=True):
        made.append(f"# {old}" if opened > 0 else new)
        if old != new or opened > 0:
            opened += len(_OPENING.findall(old)) - len(_CLOSING.findall(old))
    return "\n".join(made)


def _statement(old: str, new: str) -> str:
    """A magic that is the whole body of a loop, say, must leave a body."""
    indent = old[: len(old) - len(old.lstrip())]
    return f"{indent}pass  {new.lstrip()}" if indent and new.startswith(indent) else new


def _comment(source: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in source.split("\n"))


def _is_python(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's code, of no use here
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True

"""`workbench.panel()`: a display in every form that a front end may know. Never an error."""

from __future__ import annotations

import sys
from typing import Any

from workbench.notebook import text
from workbench.notebook.api import Control, here
from workbench.notebook.client import NotHere, Refused

MIME = "application/vnd.workbench.panel+json"
"""Drawn by our extension of JupyterLab: it lives on without the kernel, through a change of it and a restart."""


class Shown:
    """What `panel()` has displayed. As the last expression of the same cell it is not displayed twice."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._cell = _cell()
        if self._cell is not None:
            self._display()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return self._data

    def _ipython_display_(self) -> None:
        if _cell() != self._cell:
            self._display()

    def _display(self) -> None:
        from IPython.display import display

        display(self._data, raw=True)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return str(self._data["text/plain"])


def panel() -> Shown:
    """Show the panel of the workbench that this notebook runs in."""
    try:
        return Shown(bundle(here()))
    except NotHere as error:
        return Shown(_note(str(error)))


def bundle(control: Control, *, own: bool = True) -> dict[str, Any]:
    """The panel by MIME type: for our extension, as a widget, as a picture of this moment in HTML and in text.

    `own`: whether it is the workbench of the page that shows it, which is the one that our extension draws.
    """
    try:
        state = control.status()
    except (NotHere, Refused) as error:
        return _note(str(error))
    ours = {MIME: {"version": 1, "name": state["workbench"]["name"]}} if own else {}
    return {**ours, **_widget(control, state), "text/html": text.html(state), "text/plain": text.table(state)}


def _widget(control: Control, state: dict[str, Any]) -> dict[str, Any]:
    """The view of a widget, for front ends without our extension; nothing where a kernel cannot have widgets."""
    if _cell() is None:
        return {}
    try:
        from workbench.notebook.widget import shared

        view = {"version_major": 2, "version_minor": 0, "model_id": shared(control, state).model_id}
    except Exception:  # not installed, or of another age than its own parts: there is still the rest
        return {}
    return {"application/vnd.jupyter.widget-view+json": view}


def _note(message: str) -> dict[str, Any]:
    return {"text/html": text.html_note(message), "text/plain": f"Workbench: {message}"}


def _cell() -> int | None:
    """The number of the cell that runs; None outside of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return int(shell.execution_count) if shell and hasattr(shell, "kernel") else None

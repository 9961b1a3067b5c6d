"""Workbench: any project folder to a running JupyterLab. Import costs nothing: names load at their first use.

In a notebook: `panel`, `here`, `Panel`. On the machine that has the engine: `launch`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from workbench.handle import Handle, launch
    from workbench.notebook.api import Here, here
    from workbench.notebook.client import NotHere, Refused
    from workbench.notebook.show import panel
    from workbench.notebook.widget import Panel

__version__ = "0.1.0"
__all__ = ["Handle", "Here", "NotHere", "Panel", "Refused", "here", "launch", "panel"]
_HOMES = {
    "Handle": "handle",
    "Here": "notebook.api",
    "NotHere": "notebook.client",
    "Panel": "notebook.widget",
    "Refused": "notebook.client",
    "here": "notebook.api",
    "launch": "handle",
    "panel": "notebook.show",
}


def __getattr__(name: str) -> object:
    """Load what a public name stands for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_loaded(_HOMES[name]), name)


def _loaded(module: str) -> object:
    from importlib import import_module

    try:
        return import_module(f"{__name__}.{module}")
    except (ImportError, SyntaxError) as error:
        if module != "handle":
            raise
        raise ImportError(
            "workbench.launch is for the machine that has the engine: it needs all of Workbench, and Python 3.11. "
            "In a notebook of a workbench there are workbench.panel() and workbench.here()."
        ) from error


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})

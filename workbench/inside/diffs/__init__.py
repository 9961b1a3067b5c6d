"""Reviewable copies of notebooks: `.diffs/NAME.py` and `.diffs/NAME.html`, written on every save."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter's server asks an extension for."""
    from workbench.inside.diffs.extension import ReviewableCopies

    return [{"module": __name__, "app": ReviewableCopies}]

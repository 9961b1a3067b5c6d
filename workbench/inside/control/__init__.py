"""The panel's half in Jupyter's server: the state of the workbench as one document, its changes, and the verbs."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter's server asks an extension for."""
    from workbench.inside.control.extension import Control

    return [{"module": __name__, "app": Control}]

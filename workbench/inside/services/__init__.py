"""The web interfaces of a project's services behind the workbench's own address, `/services/NAME/`."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter's server asks an extension for."""
    from workbench.inside.services.extension import Services

    return [{"module": __name__, "app": Services}]

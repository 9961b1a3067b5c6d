"""The command of the relay: the inside's end of the control channel."""

import sys

from workbench.model import EngineName

MODULE = "workbench.inside.relay"


def relay_command(engine: EngineName) -> tuple[str, ...]:
    """In a container the server's own Python, which takes nothing from the project; elsewhere the Python we run in."""
    if engine in ("docker", "podman"):
        return ("/opt/workbench/bin/python", "-I", "-m", MODULE)
    return (sys.executable, "-P", "-m", MODULE)

"""How a command is run in the environment of a device, inside a workbench."""

from workbench.errors import EngineError
from workbench.model import Running

ENTER = """[ ! -r "$WORKBENCH_RUN/$1-env" ] || . "$WORKBENCH_RUN/$1-env"; shift; exec "$@\""""
"""Fixed text of a shell: what the server wrote for the device, where it did, and then the command in its place."""


def on_device(running: Running, kind: str | None, argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv` as it runs in the environment of `kind` (`cpu`, `gpu`); None means what kernels start on.

    Raises EngineError for `gpu` where the workbench has none.
    """
    kind = kind or running.device.partition(":")[0]
    if kind == "gpu" and not running.gpus:
        raise EngineError(f"{running.name} has no GPU.", "Start it with one: `run-notebook --gpu` in its project.")
    # The second word is what the shell calls itself when the command is not there.
    return ("sh", "-c", ENTER, "workbench", kind, *argv)

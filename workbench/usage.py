"""What running workbenches use at this moment. Several are asked at the same time: each takes a while to answer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from workbench.errors import EngineError
from workbench.model import Gpu, Running, Stats
from workbench.workbenches import Found

PATIENCE = ("timeout", "-s", "KILL", "5")
"""What a driver that hangs may cost, as the beginning of a command; seconds."""
AT_ONCE = 16

Answer = TypeVar("Answer")


def usage(found: Iterable[Found]) -> list[tuple[Running, Stats, tuple[Gpu, ...] | None]]:
    """A sample of each running workbench, with its GPUs; None for one that has none."""
    return _at_once(lambda each: (each.running, each.engine.stats(each.running.id), gpu_usage(each)), found)


def gpu_usages(found: Iterable[Found]) -> list[tuple[Gpu, ...] | None]:
    """The GPUs of each workbench, as `gpu_usage`. Costs nothing for those without."""
    return _at_once(gpu_usage, found)


def gpu_usage(found: Found) -> tuple[Gpu, ...] | None:
    """Memory and load of the GPUs that a running workbench has; None when it has none, or cannot tell."""
    running = found.running
    if not running.gpus or running.state != "running":
        return None
    from workbench import gpus

    # A container sees its own GPUs and no others; the local engine's server sees all that there are.
    chosen = running.gpus.split(",") if running.engine == "local" and running.gpus != "all" else ()
    try:
        told = found.engine.exec(running.id, (*PATIENCE, *gpus.query(tuple(chosen))))
    except EngineError:
        # Ended since it was listed.
        return None
    return gpus.parse(told.out) if told.code == 0 else None


def _at_once(ask: Callable[[Found], Answer], found: Iterable[Found]) -> list[Answer]:
    each = list(found)
    with ThreadPoolExecutor(min(AT_ONCE, len(each)) or 1) as pool:
        return list(pool.map(ask, each))

"""What this server and its kernels use on a machine that they share with all else: the sum of their processes."""

import os
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from workbench.inside.control.usage import Sample


def sample(clock: Callable[[], float] = time.monotonic) -> Sample:
    """One look at the processes. psutil comes with the package that has the local engine; nothing without it."""
    try:
        import psutil
    except ImportError:
        return Sample(at=clock())
    server = _server()
    family = [server, *server.children(recursive=True)]
    told = [each for process in family if (each := _told(process))]
    return Sample(
        at=clock(),
        cpu=sum(each[0] for each in told),
        cores=available(),
        memory=sum(each[1] for each in told),
        memory_limit=psutil.virtual_memory().total,
        pids=len(told),
        disk_read=_total([each[2] for each in told]),
        disk_written=_total([each[3] for each in told]),
    )


def available() -> float:
    """How many processors this process may run on."""
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@cache
def _server() -> Any:
    import psutil

    return psutil.Process()


def _told(process: Any) -> tuple[float, int, int | None, int | None] | None:
    """Seconds of processor time (with that of its ended children), bytes of memory, read and written."""
    import psutil

    try:
        with process.oneshot():
            times = process.cpu_times()
            spent = times.user + times.system
            spent += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            memory = process.memory_info()
            return spent, memory.rss - getattr(memory, "shared", 0), *_disk(process)
    except psutil.Error:  # it has ended meanwhile, or is another user's
        return None


def _disk(process: Any) -> tuple[int | None, int | None]:
    import psutil

    try:
        counters = process.io_counters()
    except (psutil.Error, AttributeError):  # macOS does not tell
        return None, None
    return counters.read_bytes, counters.write_bytes


def _total(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None

"""What a workbench uses: counters at two moments make rates. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Any

LENGTH = 60
"""Samples that the short history has at most."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters at one moment. Bytes and seconds; None where something is not counted here."""

    at: float
    """On a clock that only goes forward."""
    cpu: float | None = None
    cores: float | None = None
    memory: int | None = None
    memory_limit: int | None = None
    pids: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None
    net_in: int | None = None
    net_out: int | None = None


def usage(before: Sample | None, now: Sample, at: float) -> dict[str, Any]:
    """The part `usage` of the state: processors in use, and bytes a second since the sample before. `at`: Unix time."""
    return {
        "cpu": _rate(before, now, "cpu"),
        "cores": now.cores,
        "memory": now.memory,
        "memory_limit": now.memory_limit,
        "disk_read": _whole(_rate(before, now, "disk_read")),
        "disk_written": _whole(_rate(before, now, "disk_written")),
        "net_in": _whole(_rate(before, now, "net_in")),
        "net_out": _whole(_rate(before, now, "net_out")),
        "pids": now.pids,
        "at": round(at, 3),
    }


class History:
    """The last samples of what is drawn as a line, `seconds` apart."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rows: deque[tuple[float | None, int | None, float | None]] = deque(maxlen=LENGTH)

    def add(self, usage: dict[str, Any], gpus: list[dict[str, Any]]) -> None:
        """Take in a sample; of the GPUs the busiest counts."""
        loads = [gpu["load"] for gpu in gpus if gpu["load"] is not None]
        self._rows.append((usage["cpu"], usage["memory"], max(loads, default=None)))

    def clear(self) -> None:
        """Forget: nobody has listened meanwhile, so a line would have a gap in it."""
        self._rows.clear()

    def document(self) -> dict[str, Any]:
        """The part `history` of the state, oldest first."""
        cpu, memory, gpu = ([row[column] for row in self._rows] for column in range(3))
        return {"seconds": self._seconds, "cpu": cpu, "memory": memory, "gpu": gpu}


def _rate(before: Sample | None, now: Sample, name: str) -> float | None:
    first: float | None = getattr(before, name, None)
    last: float | None = getattr(now, name)
    if before is None or first is None or last is None or now.at <= before.at:
        return None
    # A process that has ended takes its counters with it.
    return round(max(0.0, (last - first) / (now.at - before.at)), 3)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)

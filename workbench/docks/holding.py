"""What a process keeps for as long as somebody holds it: by a shared lock, which goes with the process that has it."""

import fcntl
import time
from pathlib import Path

LINGER = 5.0
"""Seconds that it outlives its last holder: commands often follow each other."""


class Holding:
    """The keeper's side of a lock that holders share."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._free_since: float | None = None

    def is_held(self) -> bool:
        """Whether somebody holds it, or did a moment ago."""
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._free_since = None
                return True
        self._free_since = self._free_since or time.monotonic()
        return time.monotonic() - self._free_since < LINGER

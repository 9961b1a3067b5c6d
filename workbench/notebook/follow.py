"""A server's events, heard on a thread of their own. Standard library only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from workbench.notebook.client import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.notebook.find import Server

PAUSE = 2.0
"""Seconds until a stream that ended is asked for again."""


class Follower:
    """Calls `hear(name, data)` for each event, over again after an interruption, until `stop`."""

    def __init__(self, server: Server, hear: Callable[[str, Any], None]) -> None:
        self._server, self._hear = server, hear
        self._stopped = threading.Event()
        self._stream = Stream(server)
        threading.Thread(target=self._run, name="workbench-panel", daemon=True).start()

    def stop(self) -> None:
        """Hear nothing more; from whichever thread."""
        self._stopped.set()
        self._stream.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for name, data in self._stream:
                if self._stopped.is_set():
                    return
                self._hear(name, data)
            self._stopped.wait(PAUSE)
            self._stream = Stream(self._server)

"""The GPUs of this container, by nvidia-smi: seldom, never twice at a time, and never waited for long."""

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

from workbench.inside import nvidia
from workbench.inside.place import Place

EVERY = 5.0
"""Seconds between two questions."""
PATIENCE = 5.0
"""Seconds after which there is no answer: the program hangs when the driver does."""


class Gpus:
    """What is known of the GPUs that this workbench may use: `state`, as old as the last answer."""

    def __init__(self, place: Place) -> None:
        self._ids = () if place.gpus == "all" else tuple(filter(None, place.gpus.split(",")))
        self._program = nvidia.program(os.environ) if place.gpus else None
        self._asked = -EVERY
        self._task: asyncio.Task[None] | None = None
        self.state: list[dict[str, Any]] = []

    async def look(self, patience: float) -> None:
        """Ask if it is time for it; waits `patience` seconds for the very first answer, for none after that."""
        if self._program is None or self._task or time.monotonic() - self._asked < EVERY:
            return
        first = self._asked < 0
        self._asked = time.monotonic()
        self._task = asyncio.ensure_future(self._ask(self._program))
        if first:
            await asyncio.wait({self._task}, timeout=patience)

    async def _ask(self, program: str) -> None:
        try:
            self.state = [_told(row) for row in nvidia.rows(await self._said(program))]
        finally:
            self._task = None

    async def _said(self, program: str) -> str:
        words = nvidia.query(self._ids)[1:]
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            child = await asyncio.create_subprocess_exec(program, *words, stdin=null, stdout=pipe, stderr=null)
        except OSError:
            return ""
        try:
            out, _ = await asyncio.wait_for(child.communicate(), PATIENCE)
        except TimeoutError:
            self.state = []
            with suppress(ProcessLookupError):
                child.kill()
            # As long as it hangs all the same, no other one is started.
            await child.wait()
            return ""
        return out.decode(errors="replace")


def _told(row: nvidia.Row) -> dict[str, Any]:
    """A GPU as the state tells it."""
    return {name: getattr(row, name) for name in ("index", "name", "memory", "memory_used", "load")}

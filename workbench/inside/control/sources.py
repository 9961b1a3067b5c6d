"""Where the state comes from: control groups or processes, kernels, the copies to review, GPUs, the environment."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from workbench.inside.control import board, packages
from workbench.inside.control.gpus import Gpus
from workbench.inside.control.kernels import Kernels
from workbench.inside.control.usage import History, Sample, usage
from workbench.inside.place import Place

EVERY = 2.0
"""Seconds between two looks."""
OLD = 10.0
"""Seconds after which a sample says nothing of the present."""
SHORT = 0.2
"""Seconds between the two samples of a first look."""
PACKAGES = 10.0
"""Seconds between two looks at what is installed."""


class Sources:
    """Looks at everything that the server itself can know. `stirred`: called when a kernel changes its state."""

    def __init__(self, server: Any, place: Place, *, local: bool, stirred: Callable[[], object]) -> None:
        self._settings, self._place = server.web_app.settings, place
        self._meter = _meter(local=local)
        self._gpus, self._kernels = Gpus(place), Kernels(server, stirred)
        self._sample: Sample | None = None
        self._packages_at = -PACKAGES
        self.history = History(EVERY)

    @property
    def age(self) -> float:
        """Seconds since the last look."""
        return time.monotonic() - self._sample.at if self._sample else OLD

    async def look(self) -> dict[str, Any]:
        """The parts of the state as they are now."""
        if self.age >= OLD:
            self.history.clear()
            self._sample = await asyncio.to_thread(self._meter)
            await self._gpus.look(SHORT)
            await asyncio.sleep(SHORT)
        return {
            **await self._measure(),
            **await self.kernels(),
            **await self._installed(),
            "diffs": board.diffs(self._keeper()),
        }

    async def kernels(self) -> dict[str, Any]:
        """The kernels alone."""
        return {"kernels": await self._kernels.look()}

    async def _measure(self) -> dict[str, Any]:
        await self._gpus.look(0)
        before, self._sample = self._sample, await asyncio.to_thread(self._meter)
        part = usage(before, self._sample, time.time())
        self.history.add(part, self._gpus.state)
        return {"usage": part, "gpus": self._gpus.state}

    async def _installed(self) -> dict[str, Any]:
        now = time.monotonic()
        if self._place.env is None or now - self._packages_at < PACKAGES:
            return {}
        self._packages_at = now
        return {"packages": await asyncio.to_thread(packages.by_hand, self._place.env)}

    def _keeper(self) -> dict[str, Any]:
        keeper = self._settings.get("workbench_diffs")
        return keeper.state() if keeper else {"on": False}


def _meter(*, local: bool) -> Callable[[], Sample]:
    """A container has control groups of its own; on this machine itself a workbench is some of its processes."""
    if local:
        from workbench.inside.control import processes

        return processes.sample
    from workbench.inside.control import cgroup

    return cgroup.sample

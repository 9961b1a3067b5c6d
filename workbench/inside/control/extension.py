"""The part of Jupyter's server that the panel speaks to. Off with `WORKBENCH_PANEL=0`."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_server.extension.application import ExtensionApp

from workbench.inside.control.handlers import HANDLERS

if TYPE_CHECKING:
    from workbench.inside.control.monitor import Monitor


class Control(ExtensionApp):
    """Serves `workbench/api/`."""

    name = "workbench_control"

    @cached_property
    def monitor(self) -> "Monitor":
        """What keeps the state; made, and its modules loaded, when the first page asks: a start does not wait."""
        from workbench.inside.control.monitor import Monitor

        server: Any = self.serverapp
        # The local engine's mark on its processes.
        monitor = Monitor(server, local="WORKBENCH_RECORD" in os.environ)
        server.sessions.heard.append(monitor.stir)
        return monitor

    def initialize_handlers(self) -> None:
        """What pages ask."""
        self.handlers.extend(HANDLERS)

    async def stop_extension(self) -> None:
        """Tell the pages."""
        if "monitor" in vars(self):
            await self.monitor.close()

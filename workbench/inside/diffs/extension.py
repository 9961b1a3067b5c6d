"""The part of Jupyter's server that tells the keeper what happens to notebooks. On with `WORKBENCH_DIFFS=1`."""

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from traitlets import Float, List, Unicode

from workbench.inside.diffs.converter import LIMIT, WORKER, Converter
from workbench.inside.diffs.keeper import Keeper
from workbench.inside.report import say

EVENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"


class ReviewableCopies(ExtensionApp):
    """Has copies to review follow the notebooks of this server. Other programs ask `settings["workbench_diffs"]`."""

    name = "workbench_diffs"
    limit = Float(LIMIT, help="Seconds that the conversion of one notebook may take.").tag(config=True)
    worker = List(Unicode(), list(WORKER), help="Command of the process that converts.").tag(config=True)
    keeper: Keeper | None = None

    def initialize_settings(self) -> None:
        """Listen to the events of notebooks that are files."""
        server: Any = self.serverapp
        manager: Any = server.contents_manager
        has_files = isinstance(manager, FileManagerMixin)
        if os.environ.get("WORKBENCH_DIFFS") != "1" or not has_files:
            return
        root, run = Path(manager.root_dir), os.environ.get("WORKBENCH_RUN")
        converter = Converter(root, self.worker, self.limit)
        self.keeper = Keeper(root, converter, self.log.warning, say, Path(run, "diffs.json") if run else None)
        server.event_logger.add_listener(schema_id=EVENTS, listener=self._heard)

    def state(self) -> dict[str, Any]:
        """`on`, `last_written`, `pending` (how many), `warnings` (by notebook)."""
        return self.keeper.state() if self.keeper else {"on": False}

    async def stop_extension(self) -> None:
        """Write what is left."""
        if self.keeper:
            await asyncio.to_thread(self.keeper.close)

    async def _heard(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if self.keeper:
            self.keeper.heard(data["action"], data["path"], data.get("source_path", ""))

"""A contents manager that has no files: notebooks live in memory."""

from typing import Any

from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.manager import AsyncContentsManager


class NoFiles(AsyncContentsManager):
    """Everything that is saved is kept, and nothing more."""

    checkpoints_class = AsyncCheckpoints

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[str, Any] = {}

    async def dir_exists(self, path: str) -> bool:
        return not path

    async def file_exists(self, path: str) -> bool:
        return path.strip("/") in self.kept

    def is_hidden(self, path: str) -> bool:
        return False

    async def get(self, path: str, content: bool = True, type: str | None = None, **_: Any) -> dict[str, Any]:
        self.emit(data={"action": "get", "path": path})
        times = {"created": "2026-01-01", "last_modified": "2026-01-01", "writable": True, "mimetype": None}
        model = {"name": path, "path": path, "type": "notebook" if path else "directory", **times}
        return {**model, "format": "json" if content else None, "content": [] if content else None}

    async def save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        self.kept[path.strip("/")] = model
        self.emit(data={"action": "save", "path": path})
        return await self.get(path.strip("/"), content=False)

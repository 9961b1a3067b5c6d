"""The kernels of this server, as the state tells them, and who hears when one becomes busy or idle."""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from jupyter_client.kernelspec import NoSuchKernel


class Kernels:
    """All kernels. `stirred` is called when one that was seen before changes its state."""

    def __init__(self, server: Any, stirred: Callable[[], object]) -> None:
        self._server, self._stirred = server, stirred
        self._watched: WeakSet[Any] = WeakSet()

    async def look(self) -> list[dict[str, Any]]:
        """The part `kernels` of the state, in the order of their start."""
        sessions = await self._server.session_manager.list_sessions()
        paths = {session["kernel"]["id"]: session["path"] for session in sessions}
        manager = self._server.kernel_manager
        return [self._told(id, manager.get_kernel(id), paths.get(id, "")) for id in manager.list_kernel_ids()]

    def _told(self, id: str, kernel: Any, path: str) -> dict[str, Any]:
        if kernel not in self._watched and kernel.has_trait("execution_state"):
            kernel.observe(lambda _: self._stirred(), "execution_state")
            self._watched.add(kernel)
        name, device = _spec(kernel)
        return {
            "id": id,
            "name": kernel.kernel_name,
            "display_name": name,
            "state": kernel.execution_state or "starting",
            "path": path,
            "device": device,
        }


def _spec(kernel: Any) -> tuple[str, str | None]:
    """Name to show, and device."""
    try:
        spec = kernel.kernel_spec
    except NoSuchKernel:  # removed while it runs
        return kernel.kernel_name, None
    return spec.display_name, spec.metadata.get("workbench", {}).get("device")

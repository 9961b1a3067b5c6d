"""`workbench.Panel`: the panel as a widget, to be composed with others. The only module that knows anywidget."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("workbench.Panel needs anywidget: pip install anywidget. workbench.panel() does not.") from error

from workbench.notebook.api import Control, here
from workbench.notebook.follow import Follower

if TYPE_CHECKING:
    from workbench.notebook.find import Server

PAGE = Path(__file__).parent / "labextensions" / "workbench" / "static"
MOVING = frozenset({"usage", "gpus"})
"""What changes all the time, and is pushed to pages only: what no open page takes, Jupyter's server keeps for one."""
_SHARED: dict[Server, Panel] = {}


class Panel(anywidget.AnyWidget):
    """The panel of the workbench that this notebook runs in.

    `state` is what `workbench.here().status()` says; its numbers move while a page shows the panel. `device` can be
    observed, linked and set: setting it switches. `action` is what is under way, None when nothing is.
    It follows the workbench until `close`, or until no page shows it any more.
    """

    _esm = (PAGE / "panel.js").read_text(encoding="utf-8")
    _css = (PAGE / "panel.css").read_text(encoding="utf-8")
    state = traitlets.Dict().tag(sync=True)
    device = traitlets.Unicode().tag(sync=True)
    action = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, control: Control | None = None, *, state: dict[str, Any] | None = None) -> None:
        """With a `state`, it follows only while a page shows it."""
        self._control = control or here()
        self._follower: Follower | None = None
        # Zero, not None: front ends count their views only then.
        super().__init__(**self._values(state or self._control.status()), _view_count=0)
        self.on_msg(self._asked)
        if state is None:
            self._follow()

    def show(self, state: dict[str, Any]) -> None:
        """Take over a state."""
        with self.hold_sync():
            for name, value in self._values(state).items():
                setattr(self, name, value)

    def close(self) -> None:
        """Remove it from every page, and let go of the server."""
        self._unfollow()
        super().close()

    def _values(self, state: dict[str, Any]) -> dict[str, Any]:
        return {"state": state, "action": state["action"], "device": self._device_in(state)}

    def _device_in(self, state: dict[str, Any]) -> str:
        """The device that computes, or is about to."""
        return (state["action"] or {}).get("device") or self._control.device_in(state)

    @traitlets.validate("device")
    def _switch(self, proposal: traitlets.Bunch) -> str:
        # In time to refuse: the trait then keeps its value.
        if proposal.value != self._device_in(self.state):
            self._control.set_device(proposal.value)
        return str(proposal.value)

    @traitlets.observe("_view_count")
    def _viewed(self, change: traitlets.Bunch) -> None:
        if change.new:
            self._follow()
        elif change.old:
            self._unfollow()

    def _follow(self) -> None:
        if self._follower is None:
            self._follower = Follower(self._control.server, self._hear)

    def _unfollow(self) -> None:
        if self._follower:
            self._follower.stop()
            self._follower = None

    def _hear(self, name: str, data: dict[str, Any]) -> None:
        if name == "state":
            self.show(data)
        elif name == "change" and (self._view_count or data.keys() - MOVING):
            self.show({**self.state, **data})

    def _asked(self, _: object, content: dict[str, Any], __: object) -> None:
        """A page asks for a verb; the kernel does not wait for its answer."""
        if isinstance(content, dict) and isinstance(content.get("verb"), str):
            threading.Thread(target=self._answer, args=(content,), daemon=True).start()

    def _answer(self, content: dict[str, Any]) -> None:
        try:
            result = self._control.ask(content["verb"], dict(content.get("args") or {}))
            self.send({"id": content.get("id"), "ok": True, "result": result})
        except Exception as error:  # whatever it is: somebody waits for an answer
            told = {"code": getattr(error, "code", "failed"), "message": getattr(error, "message", str(error))}
            self.send({"id": content.get("id"), "ok": False, "error": {**told, "hint": getattr(error, "hint", "")}})

    def __repr__(self) -> str:
        return f"Workbench panel of {self.state['workbench']['name']}"


def shared(control: Control, state: dict[str, Any]) -> Panel:
    """The one panel of this workbench for all displays of this kernel, showing this state."""
    found = _SHARED.get(control.server)
    if found is None or found.comm is None:
        found = _SHARED[control.server] = Panel(control, state=state)
    else:
        found.show(state)
    return found

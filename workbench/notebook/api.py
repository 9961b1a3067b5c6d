"""`workbench.here()`: the workbench that a notebook runs in, from its own code. Standard library only."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.notebook import text
from workbench.notebook.client import API, PATIENCE, NotHere, Refused, call
from workbench.notebook.find import find_server, kernel_id

if TYPE_CHECKING:
    from workbench.notebook.find import Server

DEVICES = ("cpu", "gpu")
RESTART_OF_A_KERNEL = 60.0
"""Seconds that a kernel may take to come up on another device."""
NOWHERE = (
    "This code does not run in a workbench. Start JupyterLab with `run-notebook` in the project folder, and run it in "
    "a notebook there."
)


class Control:
    """A workbench, spoken to through its server. What is refused is raised: `Refused`, or `NotHere`."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def status(self) -> dict[str, Any]:
        """All that the panel shows, at this moment: `workbench`, `device`, `usage`, `kernels`, `changes` …"""
        found: dict[str, Any] = self._call("GET", f"{API}state")
        return found

    def stats(self) -> dict[str, Any]:
        """What it uses, as its engine says: `cpu` in cores, `memory` in bytes, disk and network in bytes so far …"""
        found: dict[str, Any] = self._verb("stats")
        return found

    def logs(self, tail: int = 100) -> list[str]:
        """The last lines of the server's log, at most 500."""
        found: list[str] = self._call("GET", f"{API}logs?tail={int(tail)}")["lines"]
        return found

    def service_logs(self, name: str, tail: int = 100) -> list[str]:
        """The last lines that a service beside it wrote, at most 500."""
        return self._service_logs(self._place(name), tail)

    def restart_service(self, name: str) -> None:
        """Stop and start a service, where the project's configuration allows that: `restart = true`."""
        self._verb("restart_service", service=self._place(name))

    def set_device(self, device: str) -> None:
        """Compute on `"cpu"` or `"gpu"`; the workbench is made anew for it, and its kernels lose their variables."""
        self._verb("set_device", device=_known(device))

    def restart(self) -> None:
        """Stop and start it; what was installed by hand stays, kernels lose their variables."""
        self._verb("restart")

    def rebuild(self) -> None:
        """Build its image anew from the package lists as they are now, and start that. `cancel` ends the building."""
        self._verb("rebuild")

    def stop(self) -> None:
        """Stop it; `run-notebook` brings it back."""
        self._verb("stop")

    def cancel(self) -> None:
        """Go back to what was before the action that is under way."""
        self._verb("cancel")

    def ask(self, verb: str, arguments: dict[str, Any]) -> Any:
        """A verb of the panel by its name; what it answers."""
        if verb == "logs":
            return {"lines": self.logs(**arguments)}
        if verb == "service_logs":
            return {"lines": self._service_logs(**arguments)}
        if verb == "set_device":
            self.set_device(**arguments)
            return {"accepted": True}
        return self._verb(verb, **arguments)

    def device_in(self, state: dict[str, Any]) -> str:
        """Which device computes, according to a `status`."""
        return str(state["device"]["selected"])

    @property
    def name(self) -> str:
        """The workbench's name."""
        return str(self.status()["workbench"]["name"])

    @property
    def url(self) -> str:
        """Its address in a browser, without the token."""
        return str(self.status()["workbench"]["url"] or "")

    @property
    def device(self) -> str:
        """What computes: `cpu` or `gpu`."""
        return self.device_in(self.status())

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """Its GPUs: `index`, `name`, `memory`, `memory_used` in bytes, `load` from 0 to 1."""
        return list(self.status()["gpus"])

    @property
    def services(self) -> list[dict[str, Any]]:
        """What runs beside it: `name`, `title`, `state`, `health`, `exit_code`, `ports`, `web`, `restart` of each."""
        return list(self.status()["services"])

    def __repr__(self) -> str:
        """What there is to see, as a table; never an error."""
        try:
            return text.table(self.status())
        except (NotHere, Refused) as error:
            return f"Workbench\n{error}"

    def _service_logs(self, service: int, tail: int) -> list[str]:
        found: list[str] = self._call("GET", f"{API}services/{int(service)}/logs?tail={int(tail)}")["lines"]
        return found

    def _place(self, name: str) -> int:
        """Where a service is in the list."""
        names = [each["name"] for each in self.services]
        if name not in names:
            have = f"it has {', '.join(names)}" if names else "it has none"
            raise ValueError(f"The workbench has no service {name!r}; {have}.")
        return names.index(name)

    def _verb(self, verb: str, **arguments: Any) -> Any:
        return self._call("POST", f"{API}verbs/{quote(verb, safe='')}", arguments)["result"]

    def _call(self, method: str, path: str, body: object = None, *, patience: float = PATIENCE) -> Any:
        return call(self.server, method, path, body, patience=patience)


class Here(Control):
    """The workbench that this code runs in."""

    def set_device(self, device: str) -> None:
        """Have this notebook's kernel on `"cpu"` or `"gpu"`; variables are lost.

        Where the workbench has both, the kernel alone is replaced. Else the workbench is made anew with the device.
        """
        kernel = self.status()["device"]["kernels"].get(_known(device))
        session = self._session()
        if kernel is None or session is None:
            super().set_device(device)
            return
        body = {"kernel": {"name": kernel}}
        self._call("PATCH", f"api/sessions/{session}", body, patience=RESTART_OF_A_KERNEL)

    def device_in(self, state: dict[str, Any]) -> str:
        """The device of this notebook's kernel."""
        named = state["device"]["kernels"].items()
        return next((device for device, name in named if name == self._kernel), super().device_in(state))

    @cached_property
    def _kernel(self) -> str | None:
        """The kernelspec of this kernel, which is one as long as it lives; None outside of a notebook."""
        own = kernel_id()
        return str(self._call("GET", f"api/kernels/{own}")["name"]) if own else None

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        from workbench.notebook.show import bundle

        return bundle(self)

    def _session(self) -> str | None:
        """The session of this notebook; None outside of a notebook."""
        own = kernel_id()
        found = self._call("GET", "api/sessions") if own else []
        return next((str(each["id"]) for each in found if each["kernel"]["id"] == own), None)


def here() -> Here:
    """The workbench that this code runs in. Raises NotHere outside of one."""
    server = find_server(os.environ)
    if server is None:
        raise NotHere(NOWHERE)
    return Here(server)


def _known(device: str) -> str:
    if device not in DEVICES:
        raise ValueError(f"A device is 'cpu' or 'gpu', not {device!r}.")
    return device

"""The state document: what its parts say, and which of them are news. Pure."""

from collections.abc import Mapping
from typing import Any

from workbench.inside.place import DEVICES, Place

VERSION = 1
TOLD = ("engine", "engine_version", "dock", "image", "image_created", "container", "started", "url")
"""What only the agent knows of the workbench."""


class Board:
    """The present state, by its top-level keys."""

    def __init__(self, first: Mapping[str, Any]) -> None:
        self._parts = dict(first)

    def __getitem__(self, key: str) -> Any:
        return self._parts[key]

    def put(self, **parts: Any) -> dict[str, Any]:
        """Take in parts; returns those that are news."""
        news = {key: part for key, part in parts.items() if self._parts[key] != part}
        self._parts |= news
        return news

    def document(self, **more: Any) -> dict[str, Any]:
        """The whole state, with parts that are not kept."""
        return {**self._parts, **more}


def first(place: Place, *, local: bool, started: float) -> dict[str, Any]:
    """The state before anything was looked at."""
    return {
        "version": VERSION,
        "workbench": workbench(place, {}, local=local, started=started),
        "agent": agent(False),
        "device": device(place, {}),
        "gpus": [],
        "usage": None,
        "kernels": [],
        "diffs": diffs({"on": False}),
        "services": [],
        "packages": [],
        "changes": [],
        "action": None,
        "last": None,
    }


def workbench(place: Place, status: Mapping[str, Any], *, local: bool, started: float) -> dict[str, Any]:
    """Where this is: what the agent tells (`status`), before that what a server knows of itself."""
    own: dict[str, Any] = dict.fromkeys(TOLD) | {"started": started}
    if local:
        own |= {"engine": "local", "url": f"http://{place.name}.localhost:{place.port}/lab"}
    port = status.get("port")
    return {
        "name": place.name,
        "project": place.root.name,
        **own,
        **{key: status[key] for key in TOLD if key in status},
        "ports": [{"container": place.port, "host": f"127.0.0.1:{port}"}] if port and not local else [],
        "server_started": started,
    }


def services(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The services beside it, as the agent tells them."""
    return list(status.get("services") or ())


def unseen(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same when nobody tells any more how they are."""
    return [{**each, "state": None, "health": "", "exit_code": None, "ports": []} for each in services]


def agent(connected: bool, why: str = "", hint: str = "") -> dict[str, Any]:
    """Whether the controls work."""
    return {"connected": connected, "why": why, "hint": hint}


def device(place: Place, status: Mapping[str, Any]) -> dict[str, Any]:
    """Which devices kernels can have here, and whether this machine could give a GPU."""
    gpu = status.get("gpu") or {}
    return {
        "selected": place.device,
        "gpus": place.gpus,
        "kernels": {each: kernelspec(place, each) for each in DEVICES},
        "possible": True if place.gpus else gpu.get("possible"),
        "why": "" if place.gpus else gpu.get("why", ""),
    }


def kernelspec(place: Place, device: str) -> str | None:
    """The name under which kernels of a device are started here."""
    if device not in place.devices:
        return None
    return "python3" if device == place.device else f"python3-{device}"


def diffs(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the keeper of the copies to review says."""
    last = state.get("last_written")
    return {
        "on": state["on"],
        "last_written": last["at"] if last else None,
        "pending": state.get("pending", 0),
        "warnings": state.get("warnings", {}),
    }

"""The services beside a workbench, as its agent tells of them and acts on them: those that were approved, no others."""

from collections.abc import Iterable, Mapping
from typing import Any

from workbench import approved
from workbench.agent.answers import fitting
from workbench.approved import Approved
from workbench.engines.base import Engine, ServiceContainers
from workbench.errors import EngineError, WorkbenchError
from workbench.inside import wire
from workbench.model import Companions, ServiceState
from workbench.state import State

NONE = Companions("", ())
PORTS = 8
"""Ports of a service that are told at most; with those of all services they have room in one line."""
UNKNOWN: Mapping[str, Any] = {"state": None, "health": "", "exit_code": None, "ports": []}
"""How a service is whose containers cannot be seen; `state` is `gone` where it has none."""


class NotApproved(WorkbenchError):
    """No launch has approved that this is done to a service, or that there is one."""

    exit_code = 2


def told(engine: Engine, state: State) -> list[dict[str, Any]]:
    """The part `services` of the status, in the approved order. One look at the engine; none without services."""
    kept = approved.read(state) if engine.services else None
    beside = _companions(kept)
    if kept is None or engine.services is None or not beside.names:
        return []
    try:
        found = _containers(engine.services, kept, beside)
    except EngineError:
        # What else there is to tell goes on.
        return [_described(name, beside, UNKNOWN) for name in _names(beside)]
    return [_described(name, beside, condition(found.get(name, []))) for name in _names(beside)]


def condition(containers: Iterable[ServiceState]) -> dict[str, Any]:
    """How a service is: as its container that is least well, with the ports of all. Pure."""
    ordered = sorted(containers, key=_wellness)
    if not ordered:
        return {**UNKNOWN, "state": "gone"}
    worst, ports = ordered[0], [port for each in ordered for port in each.ports]
    more = [f"and {len(ports) - PORTS} more"] if len(ports) > PORTS else []
    return {
        "state": worst.state,
        "health": worst.health,
        "exit_code": worst.exit_code,
        "ports": [*ports[:PORTS], *more],
    }


def name_of(state: State, index: int) -> str:
    """The approved service at this place. Raises NotApproved beyond the end of the list."""
    names = _names(_companions(approved.read(state)))
    if index >= len(names):
        have = f"It has {len(names)}." if names else "It has none."
        raise NotApproved(f"The workbench has no service {index}.", have)
    return names[index]


def may_restart(state: State, index: int) -> str:
    """The approved service at this place. Raises NotApproved where its restart from inside was not approved."""
    name = name_of(state, index)
    if name not in _companions(approved.read(state)).restart:
        key = f'"{name}"' if "." in name else name
        raise NotApproved(
            f"The launch did not allow that {name} is restarted from inside.",
            # TOML has no table beside a list of the same name.
            f"`[tool.workbench.services.{key}]` with `restart = true` in pyproject.toml, in the place of a list of"
            " services, allows it from the next `run-notebook --restart` on.",
        )
    return name


def logs(engine: Engine, state: State, index: int, tail: int) -> list[str]:
    """The last lines that a service wrote, as many as a message has room for."""
    name = name_of(state, index)
    containers, found = _of(engine, state, name)
    lines = [(each, line) for each in found for line in containers.logs(each.id, tail=tail)]
    return fitting([f"{each.container} | {line}" if len(found) > 1 else line for each, line in lines])


def restart(engine: Engine, state: State, name: str) -> None:
    """Stop and start the containers of a service, as they are."""
    containers, found = _of(engine, state, name)
    for each in found:
        containers.restart(each.id)


def _of(engine: Engine, state: State, name: str) -> tuple[ServiceContainers, list[ServiceState]]:
    """The containers of an approved service, of which there is at least one."""
    kept = approved.read(state)
    if kept is not None and engine.services is not None:
        found = _containers(engine.services, kept, _companions(kept)).get(name)
        if found:
            return engine.services, found
    raise EngineError(f"The service {name} has no container.", "`run-notebook` in its project starts it.")


def _containers(containers: ServiceContainers, kept: Approved, beside: Companions) -> dict[str, list[ServiceState]]:
    """The containers of each approved service. Compose knows a stack by name alone: those of other folders are not."""
    found: dict[str, list[ServiceState]] = {}
    for each in containers.find(beside.stack):
        if each.service in beside.names and _is_of(each, kept):
            found.setdefault(each.service, []).append(each)
    return found


def _is_of(container: ServiceState, kept: Approved) -> bool:
    root = kept.project.root
    return container.folder in ("", str(root), str(root.resolve()))


def _companions(kept: Approved | None) -> Companions:
    return kept.companions if kept and kept.companions else NONE


def _names(beside: Companions) -> tuple[str, ...]:
    return beside.names[: wire.SERVICES]


def _described(name: str, beside: Companions, now: Mapping[str, Any]) -> dict[str, Any]:
    web = next((each for each in beside.web if each.name == name), None)
    return {
        "name": name,
        "title": (web.title if web else "") or name,
        **now,
        "web": web is not None,
        "path": web.path if web else "",
        "restart": name in beside.restart,
    }


def _wellness(container: ServiceState) -> int:
    """The higher, the better."""
    if container.state != "running":
        # A job that has done its work is no trouble.
        return 3 if container.exit_code == 0 else 0
    return {"unhealthy": 1, "starting": 2}.get(container.health, 4)

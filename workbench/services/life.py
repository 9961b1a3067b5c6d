"""Services from their start until the workbench that wanted them stops."""

import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import process
from workbench.engines.base import Engine, ServiceContainers
from workbench.engines.links import refuse_links
from workbench.errors import EngineError, WorkbenchError
from workbench.model import EngineName, Event, ServiceState
from workbench.plan import services
from workbench.plan.services import Service, Stack
from workbench.services import STARTED
from workbench.services.program import Program
from workbench.state import State

if TYPE_CHECKING:
    from workbench.flow import Ui

NO_ENV = "compose.env"
"""An empty file in the place of the project's `.env`: what is carried out needs no variables, and Compose would set
them for each program that it calls.
"""
LOOK = 0.5
"""Seconds between two looks at services that are starting."""
LONG = 120.0
"""Seconds beyond what its health check itself may take, after which a service is said not to become healthy."""
KEPT = 6
"""Last lines of a service that an error shows."""


class NotHealthy(EngineError):
    """A service was started, and is not what those that depend on it need."""


@dataclass(frozen=True, slots=True)
class Group:
    """The services of the project at `root`: the engine's containers, and the Compose that makes them."""

    engine: EngineName
    containers: ServiceContainers
    program: Program
    stack: Stack
    root: Path
    env: Mapping[str, str]
    file: Path
    """The resolved file, which is what is carried out."""

    def states(self) -> dict[str, list[ServiceState]]:
        """The containers of each service."""
        found: dict[str, list[ServiceState]] = {}
        for each in self.containers.find(self.stack.name):
            found.setdefault(each.service, []).append(each)
        return found

    def command(self, *words: str, colour: bool = False) -> tuple[str, ...]:
        """A command of Compose on what was agreed to. It would colour what goes into a file or a pipe, too."""
        return (
            *self.program.words,
            *(() if colour else ("--ansi", "never")),
            "-f",
            str(self.file),
            "--env-file",
            str(self.file.with_name(NO_ENV)),
            "--project-directory",
            str(self.root),
            "-p",
            self.stack.name,
            *words,
        )


def is_up(service: Service, states: Iterable[ServiceState]) -> bool:
    """Whether a service is there and well; one that has done its work is not there."""
    states = tuple(states)
    return bool(states) and all(each.state == "running" and each.health in ("", "healthy") for each in states)


def up(
    group: Group, names: tuple[str, ...], state: State, ui: "Ui", *, ours: bool = True, again: bool = False
) -> tuple[str, ...]:
    """Have services, in their order, each once those that it depends on are what it needs; those that this started.

    What runs already stays as it is, unless `again`: then Compose brings all of them up to the file. What this starts
    is `ours`: it stops with the workbench. Raises NotHealthy, EngineError; what was started is stopped then.
    """
    refuse_others(group)
    before = {name for name, states in group.states().items() if any(each.state == "running" for each in states)}
    order = services.in_order(group.stack, names)
    todo: list[str] = []
    for name in reversed(order):
        if again or not ((name in before and _well(group, name)) or _has_done(group, name, todo)):
            todo.insert(0, name)
    new = tuple(name for name in order if name not in before)
    if not todo:
        return ()
    if ours:
        _remember(state, group, new)
    try:
        ui.work(_started(group, todo, ui))
    except BaseException:
        back(group, new, state)
        raise
    return new


def back(group: Group, names: tuple[str, ...], state: State) -> None:
    """Stop services that were started in vain."""
    _stop(group.containers, group.stack.name, names)
    forget(state, names)


def _well(group: Group, name: str) -> bool:
    return is_up(group.stack.services[name], group.states().get(name, ()))


def _has_done(group: Group, name: str, todo: list[str]) -> bool:
    """Whether a service has done its work, and none that is about to start needs it anew."""
    needed = any(name in group.stack.services[other].depends for other in todo)
    states = group.states().get(name, [])
    return (
        not needed
        and bool(states)
        and all(each.state == "stopped" and each.exit_code == 0 for each in states)
        and _end(group.stack, name) == "service_completed_successfully"
    )


def refuse_others(group: Group) -> None:
    """Compose knows projects by their name alone: those of another folder would be changed into ours."""
    for each in group.containers.find(group.stack.name):
        if each.folder and Path(each.folder) != group.root and Path(each.folder).resolve() != group.root.resolve():
            raise EngineError(
                f"The services of {each.folder} have the same name for Compose: {group.stack.name}.",
                "Give one of the two another, `name: NAME` at the top of its Compose file; or, if that folder is "
                f"gone: docker compose -p {group.stack.name} down",
            )


def _ready_mounts(group: Group, names: Iterable[str]) -> None:
    """What these services mount from the project must be what was read; `EngineError` where it is a link by now.

    A folder that is not there yet is made by us: the engine would make it as root.
    """
    said = (each for name in names for each in services.listed(group.stack.services[name].said.get("volumes")))
    sources = [(source, each) for each in said for kind, source, *_ in [services.mounted(each)] if kind == "bind"]
    root = group.root.resolve()
    refuse_links((source for source, _ in sources), str(root))
    for source, each in sources:
        made = not isinstance(each, Mapping) or (each.get("bind") or {}).get("create_host_path")
        if made and Path(source).is_relative_to(root) and not Path(source).exists():
            Path(source).mkdir(parents=True)


def restart(group: Group, names: Iterable[str], ui: "Ui") -> None:
    """Stop and start the containers of services as they are. Not by Compose, which follows links that came since.

    Without `names` it is all that there is. Raises EngineError for one that has no container.
    """
    states, chosen = group.states(), {*names}
    for name in services.in_order(group.stack, group.stack.services):
        if name in chosen and name not in states:
            raise EngineError(f"The service {name} has no container.", f"`workbench services up {name}` starts it.")
        for each in states.get(name, []) if not chosen or name in chosen else []:
            ui.command((group.engine, "restart", each.container))
            group.containers.restart(each.id)
            ui.note(f"Restarted {each.container}.")


def _started(group: Group, todo: list[str], ui: "Ui") -> Iterator[Event]:
    """Start services one after the other, together where nothing forbids it."""
    waiting = [*todo]
    while waiting:
        ready = [name for name in waiting if not {*group.stack.services[name].depends} & {*waiting}]
        for name in ready:
            for other, condition in group.stack.services[name].depends.items():
                yield from _until(group, other, condition)
        yield from _begun(group, ready, ui)
        waiting = [name for name in waiting if name not in ready]
    for name in todo:
        yield from _until(group, name, _end(group.stack, name))


def _end(stack: Stack, name: str) -> services.Condition:
    """What a service is to come to in the end."""
    needs = {service.depends.get(name) for service in stack.services.values()}
    if "service_completed_successfully" in needs:
        return "service_completed_successfully"
    return "service_healthy"


def _begun(group: Group, names: list[str], ui: "Ui") -> Iterator[Event]:
    step = f"Start {', '.join(names)}"
    yield Event("step", step, step)
    began = time.monotonic()
    _ready_mounts(group, names)
    command = group.command("up", "-d", "--no-deps", *names)
    ui.command(command)
    last: list[str] = []
    code = yield from _told(process.lines(command, env=group.env, whole=True, cwd=group.root), step, last)
    if code != 0:
        yield Event("failed", step, step)
        raise EngineError(
            f"Compose could not start {', '.join(names)}.",
            "Correct what these lines name, then run the same command again.",
            detail=tuple(last),
        )
    yield Event("done", step, step, seconds=time.monotonic() - began)


def _told(lines: Generator[str, None, int], step: str, last: list[str]) -> Generator[Event, None, int]:
    """What a program writes, as events; its exit code."""
    try:
        while True:
            line = next(lines)
            if line.strip():
                last[:] = [*last, line][-KEPT:]
                yield Event("output", line, step)
    except StopIteration as end:
        return int(end.value)
    finally:
        lines.close()


def _until(group: Group, name: str, condition: services.Condition) -> Iterator[Event]:
    """Wait until a service is what is needed of it."""
    step = f"Wait for {name}"
    began, told = time.monotonic(), False
    limit = LONG + _patience(group.stack.services[name])
    while not _is(group, name, condition):
        if not told:
            yield Event("step", step, step)
            told = True
        if time.monotonic() - began > limit:
            yield Event("failed", step, step)
            raise _unwell(group, name, f"is not healthy after {limit:.0f} s")
        yield Event("progress", step, step)
        time.sleep(LOOK)
    if told:
        yield Event("done", step, step, seconds=time.monotonic() - began)


def _is(group: Group, name: str, condition: services.Condition) -> bool:
    """Whether a service is what is needed. Raises NotHealthy where it will not be."""
    states = group.states().get(name, [])
    if not states:
        raise _unwell(group, name, "is gone")
    for each in states:
        ended = each.state in ("stopped", "dead")
        if ended and each.exit_code != 0:
            raise _unwell(group, name, f"has ended with exit code {each.exit_code}")
        if each.health == "unhealthy" and condition == "service_healthy":
            raise _unwell(group, name, "is unhealthy")
        if ended and condition == "service_healthy" and group.stack.services[name].has_health:
            raise _unwell(group, name, "has ended")
        if each.health == "starting":
            group.containers.look(each.id)
    if condition == "service_completed_successfully":
        return all(each.state == "stopped" for each in states)
    if condition == "service_healthy":
        return all(each.state != "created" and each.health in ("", "healthy") for each in states)
    return all(each.state != "created" for each in states)


def _patience(service: Service) -> float:
    """Seconds that a health check has before it says that a service is unhealthy."""
    said = service.said.get("healthcheck") or {}
    once = _seconds(said.get("interval"), 30) + _seconds(said.get("timeout"), 30)
    return _seconds(said.get("start_period"), 0) + once * (int(said.get("retries") or 3) + 1)


def _seconds(text: object, usual: float) -> float:
    """A duration in Compose's words: `1m30s`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    found = re.findall(r"([\d.]+)(h|ms|us|ns|m|s)", str(text or ""))
    return sum(float(number) * units[unit] for number, unit in found) if found else usual


def _unwell(group: Group, name: str, what: str) -> NotHealthy:
    lines: list[str] = []
    for each in group.states().get(name, []):
        with suppress(WorkbenchError):
            lines += [line for line in group.containers.logs(each.id, tail=20) if line.strip()]
    return NotHealthy(
        f"The service {name} {what}.",
        f"`workbench services logs {name}` shows all of its log; these are its last lines."
        if lines
        else f"It wrote nothing. `workbench services logs {name}` and its health check may tell more.",
        detail=tuple(lines[-KEPT:]),
    )


def _remember(state: State, group: Group, names: Iterable[str]) -> None:
    """Before anything is started: whoever comes after a launcher that was killed knows what to stop."""
    kept = state.read(STARTED) or {}
    before = kept.get("started", []) if kept.get("stack") == group.stack.name else []
    started = list(dict.fromkeys([*before, *names]))
    state.write(STARTED, {"engine": group.engine, "stack": group.stack.name, "started": started})


def forget(state: State, names: Iterable[str]) -> None:
    """These services do not stop with the workbench any more: they have ended, or are the user's own."""
    kept = state.read(STARTED)
    if kept is None:
        return
    if left := [name for name in kept["started"] if name not in {*names}]:
        state.write(STARTED, {**kept, "started": left})
    else:
        state.drop(STARTED)


def started(state: State) -> tuple[str, ...]:
    """What was started for a workbench, and runs until it stops."""
    return tuple((state.read(STARTED) or {}).get("started", ()))


def stop(engine: Engine, state: State, keep: Iterable[str] = ()) -> tuple[str, ...]:
    """Stop what was started for a workbench, in the other order, but `keep`; what ran before goes on.

    Returns the names of those that ran.
    """
    kept = state.read(STARTED)
    if not kept or engine.services is None:
        return ()
    going = tuple(name for name in kept["started"] if name not in {*keep})
    stopped = _stop(engine.services, kept["stack"], going)
    forget(state, going)
    return stopped


def _stop(containers: ServiceContainers, stack: str, names: Sequence[str]) -> tuple[str, ...]:
    """Stop services by what the engine has of them: whatever the file says by now."""
    found = containers.find(stack)
    stopped = []
    for name in reversed(names):
        running = [each for each in found if each.service == name and each.state == "running"]
        for each in running:
            containers.stop(each.id)
        if running:
            stopped.append(name)
    return tuple(stopped)

"""Which workbenches there are: every engine that answers is asked; names and folders are resolved to them."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench import labels, ready, recreate
from workbench.agent import process as agent
from workbench.engines.base import Engine
from workbench.errors import EngineError, ProjectError, WorkbenchError
from workbench.flow import current_environ, leave_services
from workbench.model import Endpoint, Running
from workbench.plan import naming
from workbench.services import STARTED
from workbench.state import State, docked


@dataclass(frozen=True, slots=True)
class Found:
    """A workbench, the engine that runs it and its state folder."""

    running: Running
    engine: Engine
    state: State

    def endpoint(self) -> Endpoint | None:
        """Where it answers; None when its token is not known on this machine."""
        seed = self.state.seed()
        return ready.endpoint(self.running, seed.token) if seed else None

    def containers(self) -> list[Running]:
        """All that the engine has of it: with one that was set aside while it was replaced."""
        mine = {labels.NAME: self.running.name, labels.PROJECT: self.running.project, labels.OWNER: self.running.owner}
        return self.engine.find(mine)

    def stop(self) -> None:
        """Stop it in order, and wait until its agent has seen that."""
        with self.locked():
            self.engine.stop(self.running.id)
            self._settle()
            leave_services(self.engine, self.state, _say)
        agent.wait(self.state, there=False)

    def leave(self) -> None:
        """Stop the services of one that has ended by itself, where nobody has done so."""
        with self.locked():
            leave_services(self.engine, self.state, _say)

    def remove(self, *, copy: bool = False) -> None:
        """Stop and remove it, with its HOME and what is kept of it here.

        On a dock the copy of the project stays, which may hold what is nowhere else; `copy` removes it too.
        """
        with self.locked():
            for each in self.containers():
                self.engine.stop(each.id)
            self._settle()
            if copy and self.running.dock:
                from workbench.docks.sync import leave

                # Before anything is removed: it may not be possible.
                leave.leave(self.state, self.running.dock)
            for each in self.containers():
                self.engine.remove(each.id, volumes=True)
            leave_services(self.engine, self.state, _say)
            self.state.forget()
        agent.wait(self.state, there=False)
        # Its last words.
        self.state.drop("agent.log")

    def _settle(self) -> None:
        """What was saved last on a dock is to be here when it has stopped."""
        if not self.running.dock:
            return
        from workbench.docks.sync import copy

        if copy.read(self.state) is None:
            return
        with copy.held(self.state):
            settled = copy.settle(self.state)
        if not settled:
            _say(f"Not all of the project has come back from {self.running.dock} yet: it does when it is used again.")

    def locked(self) -> AbstractContextManager[None]:
        """Hold it, so that no launch comes between."""
        return self.state.lock(lambda: _say("Another command, or its panel, is at work on it: waiting."))


@contextmanager
def asked() -> Iterator[list[Engine]]:
    """Every engine of this machine that answers; one that the user chose and does not is named on standard error."""
    from workbench import engines

    answering, missing = engines.answering(current_environ())
    for line in missing:
        _say(line)
    with ExitStack() as stack:
        for engine in answering:
            stack.callback(engine.close)
        yield answering


@contextmanager
def every(*, all_docks: bool = False) -> Iterator[list[Found]]:
    """All workbenches of this user, on every engine that answers and on each dock that there is a tunnel to.

    `all_docks`: on every dock of the list, and where a workbench was started, besides.
    """
    from workbench.docks import engine as far

    names = far.known() if all_docks else far.connected()
    with asked() as answering, far.asked(names, _say) as docks:
        yield _all(answering, docks)


@contextmanager
def chosen(name: str | None) -> Iterator[list[Found]]:
    """The workbench called `name` or of the folder `name`; every one for None."""
    from workbench.docks import engine as far

    if name is None:
        with every() as found:
            yield found
        return
    docks = {where.dock for where in docked() if _is((where.name,), where.project, name)}
    failures: list[WorkbenchError] = []
    with asked() as answering, far.asked(docks, failures.append) as there:
        found = _all(answering, there)
        matching = [
            each for each in found if _is((each.running.name, each.running.container), each.running.folder, name)
        ]
        if not matching and failures:
            raise failures[0]
        if not matching:
            raise ProjectError(
                f"There is no workbench {'of this folder' if name == '.' else f'called {name}'}.",
                "`workbench ps` lists them; `run-notebook` starts one.",
            )
        # The running one when several engines know the name.
        yield sorted(matching, key=lambda each: each.running.state != "running")


def leave_behind(name: str) -> bool:
    """Stop services of a folder's workbench that never came: its launcher was killed. False where there are none."""
    from workbench import project

    if not (Path(name).is_dir() or "/" in name):
        return False
    state = State.of(naming.name_of(project.find(Path(name))))
    kept = state.read(STARTED)
    if kept is None:
        return False
    with agent.opened(state.folder.name, kept["engine"]) as engine, state.lock(lambda: None):
        leave_services(engine, state, _say)
    return True


def of_dock(name: str) -> State:
    """What is kept here of a workbench on a dock, by its name or its project's folder; nothing there is asked."""
    matching = [where for where in docked() if _is((where.name,), where.project, name)]
    if not matching:
        raise ProjectError(
            f"No workbench {'of this folder' if name == '.' else f'called {name}'} is on a dock.",
            "`run-notebook --dock NAME` starts one there.",
        )
    return State.of(matching[0].name)


def _all(answering: list[Engine], docks: list[Engine]) -> list[Found]:
    """What they have of this user's. Each engine of a dock knows our workbenches by the user of there."""
    found: dict[str, Found] = {}
    # DOCKER_HOST=ssh://… is a dock, too: what others have there is theirs, though their user's number be ours.
    docks = [*docks, *(engine for engine in answering if engine.dock)]
    for engine in (each for each in answering if each not in docks):
        for running in recreate.in_place(engine.find({labels.OWNER: str(os.getuid())})):
            # Podman's socket may serve as Docker's too: the first that knows a container has it.
            found.setdefault(running.id, Found(running, engine, State.of(running.name)))
    for engine in docks:
        facts = engine.facts()
        ours = f"{engine.dock.machine}:" if engine.dock else ""
        for running in recreate.in_place(engine.find({labels.OWNER: str(facts.uid)})):
            if running.dock and running.project.startswith(ours):
                found.setdefault(running.id, Found(running, engine, State.of(running.name)))
    return sorted(found.values(), key=lambda each: each.running.name)


@contextmanager
def only(name: str, *, running: bool = True) -> Iterator[Found]:
    """The one workbench meant by `name`; with `running` it has to be running."""
    with chosen(name) as found:
        first = found[0]
        if running and first.running.state != "running":
            raise EngineError(f"{first.running.name} is not running.", "`run-notebook` in its project starts it.")
        yield first


def _say(line: object) -> None:
    sys.stderr.write(f"{line}\n")


def _is(names: tuple[str, ...], project: str, wanted: str) -> bool:
    if wanted in names:
        return True
    path = Path(wanted)
    # A bare word is a name; what looks like a path, or is a folder, means the project there or above.
    if not (path.is_dir() or "/" in wanted):
        return False
    folder = path.resolve()
    return Path(project) in (folder, *folder.parents)

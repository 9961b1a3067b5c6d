"""`workbench.launch()`: the flow of `run-notebook -d` for programs on this machine. Says nothing, asks nothing."""

import time
import weakref
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from workbench import labels, recreate
from workbench.agent import process as agent
from workbench.engines.base import Engine
from workbench.errors import EngineError
from workbench.flow import current_environ
from workbench.flow import launch as run_flow
from workbench.inside.wire import PAUSE
from workbench.model import Endpoint, Event, Request, Running
from workbench.notebook import show
from workbench.notebook.api import Control
from workbench.notebook.client import PATIENCE, NotHere, Refused
from workbench.notebook.find import Server
from workbench.state import State
from workbench.workbenches import Found

LONGEST = 1800.0
"""Seconds that a change of the device may take, with an image to build."""
AGENT = 20.0
"""Seconds that an agent may take to come up."""
LOOK = 0.5
"""Seconds between two looks at how it goes."""


class Handle(Control):
    """A workbench of this machine. Leaving it as a context stops the workbench. Errors are `WorkbenchError`."""

    def __init__(self, engine: Engine, running: Running, endpoint: Endpoint, notes: tuple[str, ...] = ()) -> None:
        """`notes` are the sentences that `run-notebook` would have said."""
        super().__init__(_server(endpoint))
        self._engine, self._endpoint = engine, endpoint
        self._labels = {labels.NAME: running.name, labels.OWNER: running.owner}
        self.project, self.notes = Path(running.project), notes
        weakref.finalize(self, engine.close)

    @property
    def name(self) -> str:
        """The workbench's name."""
        return self._labels[labels.NAME]

    @property
    def url(self) -> str:
        """Its address in a browser, with the token."""
        return self._endpoint.url

    @property
    def api_url(self) -> str:
        """Its address for programs."""
        return self._endpoint.api_url

    @property
    def token(self) -> str:
        """What its server asks for."""
        return self._endpoint.token

    def stats(self) -> dict[str, Any]:
        """What it uses: `cpu` in cores, `memory` in bytes, disk and network in bytes so far …"""
        return asdict(self._engine.stats(self._found().running.id))

    def logs(self, tail: int = 100) -> list[str]:
        """The last lines of the server's log."""
        return list(self._engine.logs(self._found().running.id, tail=tail))

    def set_device(self, device: str) -> None:
        """Compute on `"cpu"` or `"gpu"`: make the workbench anew for it, and wait for that."""
        before = self._attended()["last"]
        super().set_device(device)
        self._wait(before)

    def rebuild(self) -> None:
        """Build its image anew from the package lists as they are now, start that, and wait for it."""
        before = self._attended()["last"]
        super().rebuild()
        self._wait(before)

    def restart(self) -> None:
        """Stop and start it, as it was approved: what was installed in it by hand stays."""
        recreate.restart(self._engine, self._found().running, lambda _: None)

    def stop(self) -> None:
        """Stop it in order; `launch` and `run-notebook` bring it back. No error when it is stopped or gone already."""
        for found in self._all()[:1]:
            found.stop()

    def rm(self) -> None:
        """Stop and remove it with its HOME. The project and the image stay."""
        self._found().remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Workbench {self.name}: {self.api_url}, project {self.project}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return show.bundle(self, own=False)

    def _found(self) -> Found:
        """It as it is now: a change of the device makes another container of it."""
        if not (found := self._all()):
            raise EngineError(f"{self.name} is gone.", "workbench.launch() makes it anew.")
        return found[0]

    def _all(self) -> list[Found]:
        """What the engine has of it, the running one first."""
        found = recreate.in_place(self._engine.find(self._labels))
        ordered = sorted(found, key=lambda each: each.state != "running")
        return [Found(each, self._engine, State.of(each.name)) for each in ordered]

    def _attended(self) -> dict[str, Any]:
        """The status, with an agent that carries out what the server is asked, where there can be one."""
        agent.begin(State.of(self.name), self._engine.name)
        deadline = time.monotonic() + AGENT
        while not (state := self.status())["agent"]["connected"] and time.monotonic() < deadline:
            time.sleep(LOOK)
        return state

    def _wait(self, before: object) -> None:
        """Return when the action that was begun has ended well; its own words when it has not."""
        deadline = time.monotonic() + LONGEST
        while not (last := self._outcome()) or last == before:
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} has not come back in time.", f"Look at: workbench logs {self.name}")
            time.sleep(LOOK)
        if not last["ok"]:
            raise EngineError(last["message"], last["hint"])

    def _outcome(self) -> dict[str, Any] | None:
        try:
            state = Control.status(self)
        except EngineError:
            # Between two servers.
            return None
        return None if state["action"] else state["last"]

    def _call(self, method: str, path: str, body: object = None, *, patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + 2 * PAUSE
        while True:
            try:
                return super()._call(method, path, body, patience=patience)
            except Refused as error:
                # A program may want one thing right after the other; only a person's clicks are too many.
                if error.code != "too_soon" or time.monotonic() > deadline:
                    raise EngineError(error.message, error.hint) from error
            except NotHere as error:
                raise EngineError(str(error)) from error
            time.sleep(LOOK)


class _Silent:
    """A `launch.Ui` for nobody: keeps what would have been said, answers no question."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def command(self, argv: tuple[str, ...]) -> None:
        pass

    def work(self, events: Iterator[Event]) -> None:
        for _ in events:
            pass

    def ask(self, question: str) -> bool | None:
        return None


def launch(
    path: str | Path = ".",
    device: str | None = None,
    *,
    restart: bool = False,
    rebuild: bool = False,
    offline: bool = False,
    trust: bool = False,
    jupyter: tuple[str, ...] = (),
    **settings: Any,
) -> Handle:
    """A running workbench for the project in `path`, started or found; it stays when this program ends.

    `settings` are the command line's by their names: `engine`, `image`, `env`, `mounts`, `memory` … What the
    project's own configuration asks of this machine needs `trust=True`. Raises `WorkbenchError`.
    """
    request = Request(
        path=Path(path).expanduser(),
        flags={name: value for name, value in {"device": device, **settings}.items() if value is not None},
        restart=restart,
        rebuild=rebuild,
        offline=offline,
        trust=trust,
        detach=True,
        browser=False,
        jupyter=jupyter,
    )
    silent = _Silent()
    launched = run_flow(request, current_environ(), silent)
    if launched.running is None or launched.endpoint is None:
        raise AssertionError("a launch that was no dry run ends with a running workbench")
    agent.begin(launched.survey.state, launched.survey.engine.name)
    return Handle(launched.survey.engine, launched.running, launched.endpoint, tuple(silent.notes))


def _server(endpoint: Endpoint) -> Server:
    port = urlsplit(endpoint.api_url).port
    if port is None:
        raise AssertionError("the address of a workbench has a port")
    return Server("127.0.0.1", port, "/", endpoint.token)

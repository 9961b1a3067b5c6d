"""`nb-dock`: JupyterLab on a dock's bare machine, by the Workbench that is installed there, its engine `local`."""

import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import process, project, ready
from workbench.docks import tunnel
from workbench.docks.book import Dock
from workbench.docks.engine import PROJECTS, machine
from workbench.docks.sync import copy
from workbench.docks.tunnel import Tunnel
from workbench.errors import DockError
from workbench.flow import Ui
from workbench.model import Project
from workbench.plan import naming
from workbench.state import State

FIND = """sh -c 'for each in run-notebook "$HOME/.local/bin/run-notebook"; do command -v "$each" && exit; done'"""
"""Fixed text: where the program is there, for shells that nobody has logged in to as well."""
LOOK, ANSWER = 1.0, 5.0
"""Seconds between two looks at what this machine does for it, and at the server."""
SILENT = 3
"""Looks at a server that does not answer after which it has ended, while the tunnel is up."""


@dataclass(frozen=True, slots=True)
class Bare:
    """A server that runs there: its name there, and where it answers here."""

    name: str
    url: str
    port: int
    token: str


def serve(
    dock: Dock,
    path: Path,
    ui: Ui,
    reached: Callable[[Bare, State], None],
    *,
    options: Sequence[str] = (),
    jupyter: Sequence[str] = (),
) -> None:
    """Have the project there, start its server, and serve until that ends, or somebody ends this: then it stops too.

    `reached` hears of it when it answers. Raises DockError.
    """
    found = project.find(path)
    state = State.of(_name(found, dock))
    what = copy.What(dock.name, str(found.root), f"{PROJECTS}/{state.folder.name}")
    copy.want(state, what)
    with tunnel.held(dock, engine=False) as there, copy.held(state):
        ui.work(copy.first(state, dock.name))
        program = _program(dock, there)
        bare = _start(dock, there, program, what, ui, options, jupyter)
        try:
            with there.forward(bare.port):
                ready.wait(bare.port, bare.token, lambda: True)
                reached(bare, state)
                _while_it_runs(there, state, bare)
        finally:
            ui.note("Stopping JupyterLab (a save in progress is finished first) …")
            stop = Path(program).with_name("workbench")
            done = there.run(f"{shlex.quote(str(stop))} stop {shlex.quote(bare.name)}")
            if done.code:
                raise DockError(
                    f"{dock.name} cannot be reached: JupyterLab goes on there.",
                    f"ssh {dock.host} {stop} stop {bare.name}",
                )
            copy.settle(state)


def _name(found: Project, dock: Dock) -> str:
    return naming.workbench_name(found.name, f"{machine()}:{dock.name}:bare:{found.root}")


def _program(dock: Dock, there: Tunnel) -> str:
    lines = there.run(FIND).out.splitlines()
    if not lines:
        raise DockError(
            f"Workbench is not installed on {dock.name}.",
            f"Install it there as you did here: ssh {dock.host}",
        )
    return lines[0]


def _start(
    dock: Dock, there: Tunnel, program: str, what: copy.What, ui: Ui, options: Sequence[str], jupyter: Sequence[str]
) -> Bare:
    """`run-notebook` there; what it says on the way is said here."""
    words = [program, "--engine", "local", "--detach", "--json", *options, ".", *(["--", *jupyter] if jupyter else [])]
    command = f'cd "$HOME"/{shlex.quote(what.copy)} && {shlex.join(words)}'
    answer: dict[str, Any] = {}
    said: list[str] = []
    for line in process.lines(("ssh", *tunnel.sharing(there.folder), *dock.host.words, command)):
        if line.startswith("{"):
            answer = json.loads(line)
        elif line.strip():
            said.append(line)
            ui.note(line)
    if "url" not in answer:
        raise DockError(
            f"JupyterLab does not start on {dock.name}: {answer.get('error', 'run-notebook ended there')}",
            str(answer.get("hint", "")),
            detail=said[-4:],
        )
    return Bare(str(answer["name"]), str(answer["url"]), int(answer["port"]), str(answer["token"]))


def _while_it_runs(there: Tunnel, state: State, bare: Bare) -> None:
    silent, asked = 0, time.monotonic()
    while silent < SILENT:
        time.sleep(LOOK)
        copy.begin(state)
        status = tunnel.read_status(there.folder)
        if time.monotonic() - asked > ANSWER:
            asked = time.monotonic()
            up = status is not None and status.up and bare.port in status.ports
            silent = silent + 1 if up and not ready.answers(bare.port, bare.token) else 0

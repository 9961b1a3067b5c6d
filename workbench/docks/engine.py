"""The engine of a dock as if it were here: asked through the tunnel, which is held for as long as it is open."""

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from workbench.docks import tunnel
from workbench.docks.book import Dock, book
from workbench.engines.base import Engine, PortTaken
from workbench.engines.docker import DockerEngine
from workbench.errors import ConfigError, NoEngineError, WorkbenchError
from workbench.model import DockFacts
from workbench.state import docked

PROJECTS = ".local/share/workbench/projects"
"""Below the home of there: where copies of projects lie."""
AT_ONCE = 16


class DockWay:
    """The way to a dock: its tunnel, and the ports that answer here. Raises DockError where there is none."""

    def __init__(self, dock: Dock) -> None:
        self._held = ExitStack()
        self._tunnel = self._held.enter_context(tunnel.held(dock))
        self._ports: set[int] = set()
        far = self._tunnel.far
        self.uid, self.gid, self.user = far.uid, far.gid, far.user
        self.dock = DockFacts(dock.name, f"{far.home}/{PROJECTS}", machine())
        self.address, self.kind = self._tunnel.engine, self._tunnel.kind

    def forward(self, port: int) -> None:
        """By the same ssh."""
        if port not in self._ports:
            try:
                self._held.enter_context(self._tunnel.forward(port))
            except tunnel.Taken as error:
                raise PortTaken(error.message, error.hint) from error
            self._ports.add(port)

    def close(self) -> None:
        """The tunnel ends some seconds after its last holder."""
        self._held.close()


def connect(name: str, kind: Literal["auto", "docker", "podman", "local", "fake"] = "auto") -> DockerEngine:
    """The engine of the dock that the user calls so; closing it lets go of the tunnel.

    Raises DockError when the machine cannot be reached, NoEngineError when it has no engine, or another one.
    """
    if kind == "local" or kind == "fake":
        raise ConfigError(f"On a dock, `--engine {kind}` is another command.", f"Use: nb-dock {name}")
    return reach(book().find(name), kind)


def reach(dock: Dock, kind: Literal["auto", "docker", "podman"] = "auto") -> DockerEngine:
    """The engine of a dock, as `connect`."""
    from workbench.engines.dialect import DOCKER, PODMAN
    from workbench.engines.sockets import Address

    name, way = dock.name, DockWay(dock)
    try:
        address = Address(way.address, f"the dock {name}", chosen=True)
        engine = DockerEngine(PODMAN if way.kind == "podman" else DOCKER, address, way)
    except BaseException:
        way.close()
        raise
    if kind not in ("auto", engine.name):
        engine.close()
        raise NoEngineError(f"{name} has {engine.dialect.title}, and not {kind}.", "Leave `--engine` out.")
    return engine


def connected() -> set[str]:
    """The docks of workbenches that there is a tunnel to now."""
    return {each.dock for each in docked() if _is_up(each.dock)}


def known() -> set[str]:
    """Every dock of the list, and each that a workbench was started on."""
    return {*book().all(), *(each.dock for each in docked())}


@contextmanager
def asked(names: Iterable[str], failed: Callable[[WorkbenchError], None]) -> Iterator[list[Engine]]:
    """The engines of these docks, asked at the same time; `failed` hears of each that does not answer."""
    names = sorted(names)
    with ExitStack() as stack:
        found: list[Engine] = []
        if names:
            with ThreadPoolExecutor(min(len(names), AT_ONCE)) as pool:
                tried = list(pool.map(_tried, names))
            for each in tried:
                if isinstance(each, WorkbenchError):
                    failed(each)
                else:
                    stack.callback(each.close)
                    found.append(each)
        yield found


def _tried(name: str) -> DockerEngine | WorkbenchError:
    try:
        return connect(name)
    except WorkbenchError as error:
        return error


def _is_up(name: str) -> bool:
    try:
        folder = tunnel.folder_of(book().find(name).host)
    except WorkbenchError:
        # Not on the list any more, and no name that ssh could know.
        return False
    status = tunnel.read_status(folder)
    return tunnel.kept(folder) and status is not None and status.up


@cache
def machine() -> str:
    """What tells this machine from others, and tells nothing else of it."""
    known = Path("/etc/machine-id")
    what = known.read_text("utf-8").strip() if known.is_file() else platform.node()
    return hashlib.sha256(f"workbench {what}".encode()).hexdigest()[:8]

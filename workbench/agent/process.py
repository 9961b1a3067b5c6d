"""Which process is the agent of a workbench, and starting one that outlives its launcher."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import approved, process
from workbench.engines.base import Engine
from workbench.errors import NoEngineError
from workbench.flow import current_environ
from workbench.labels import NAME, OWNER
from workbench.model import EngineName
from workbench.state import State

if TYPE_CHECKING:
    from filelock import FileLock

LOCK, WHO, LOG = "agent.lock", "agent.json", "agent.log"
LOG_SIZE = 1_000_000
"""Bytes beyond which the log is set aside."""
MOMENT = 1.0
"""Seconds after which a lock is not held by somebody who only looks."""


@dataclass(frozen=True, slots=True)
class Who:
    """The process that is the agent of a workbench."""

    pid: int
    since: float
    attached: bool
    """Whether it is a `run-notebook` in the foreground, with which the workbench stops."""


def begin(state: State, engine: EngineName) -> None:
    """Have an agent for the workbench: where none serves it, start one that ends with the workbench.

    An image that is taken as it is has no part that an agent could talk to.
    """
    kept = approved.read(state)
    if alive(state) or (kept and kept.settings.as_is and not state.dock()):
        return
    _rotate(state.folder / LOG)
    # -P: nothing of the folder that it works in becomes a part of it.
    argv = (sys.executable, "-P", "-m", "workbench.agent", state.folder.name, engine)
    process.detach(argv, env=process.environment(), cwd=Path("/"), log=state.folder / LOG)
    if state.dock():
        # It takes over the tunnel and the port from whoever calls.
        wait(state, there=True)


def alive(state: State) -> Who | None:
    """Who serves the workbench now; None when nobody does."""
    lock = _lock(state)
    if _taken(lock):
        lock.release()
        return None
    found = state.read(WHO)
    # Without it, somebody else looks, or one is just beginning; two that begin settle it by the lock.
    return Who(**found) if found else None


def wait(state: State, *, there: bool, patience: float = 10.0) -> Who | None:
    """Wait until an agent is `there`, or is not, for `patience` seconds at most; who it is then."""
    deadline = time.monotonic() + patience
    while bool(found := alive(state)) != there and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@contextmanager
def being(state: State, *, attached: bool) -> Iterator[bool]:
    """Be the agent of the workbench; False where another process is."""
    lock = _lock(state)
    # Who only looks holds it for a moment too.
    if not _taken(lock, patience=MOMENT):
        yield False
        return
    try:
        state.write(WHO, asdict(Who(os.getpid(), time.time(), attached)))
        yield True
    finally:
        state.drop(WHO)
        lock.release()


@contextmanager
def opened(name: str, wanted: EngineName) -> Iterator[Engine]:
    """The engine that has the workbench. Raises NoEngineError while no engine of this kind answers, DockError too."""
    from workbench import engines

    if dock := State.of(name).dock():
        from workbench.docks.engine import connect

        with closing(connect(dock)) as there:
            yield there
        return
    answering, missing = engines.answering(current_environ())
    try:
        found = [engine for engine in answering if engine.name == wanted]
        if not found:
            raise NoEngineError(
                f"{wanted.capitalize()} does not answer.", " ".join(missing) or "See `workbench doctor`."
            )
        mine = {NAME: name, OWNER: str(os.getuid())}
        # Two addresses may lead to engines of one kind.
        yield next((engine for engine in found if engine.find(mine)), found[0])
    finally:
        for engine in answering:
            engine.close()


def attended(state: State) -> AbstractContextManager[None]:
    """What a workbench of another machine needs on this one, for as long as this lasts."""
    if state.dock() is None:
        return nullcontext()
    from workbench.docks.attend import attending

    return attending(state, partial(note, state))


def note(state: State, text: str) -> None:
    """Add a line to the agent's log, which people read and nothing inside."""
    path = state.folder / LOG
    # A full disk ends no agent.
    with suppress(OSError):
        _rotate(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def _lock(state: State) -> "FileLock":
    from filelock import FileLock

    # Taken by the thread that serves, released by the one that ends it.
    return FileLock(state.folder / LOCK, mode=0o600, thread_local=False)


def _taken(lock: "FileLock", patience: float = 0) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=patience)
    except Timeout:
        return False
    return True


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_SIZE:
        log.replace(log.with_name(f"{LOG}.1"))

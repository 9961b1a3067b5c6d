"""The copy of a project on a dock: have it, hold it the same, know how it goes. A process of its own keeps it."""

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench import process
from workbench.docks import tunnel
from workbench.errors import ConfigError, DockError
from workbench.model import Event
from workbench.state import State

HELD, KEPT, STATUS, LOG, WHAT, SETTLE, MEMORY = (
    *("held", "kept", "status.json", "log", "what.json", "settle.json"),
    "unison",
)
BEGIN = 20.0
"""Seconds in which whoever keeps the copy must have begun."""
MOMENT = 5.0
"""Seconds in which it has begun, or does not."""
HINDERED = 4.0
"""Seconds that something may be in the way of the first copy."""
LOOK = 0.1


@dataclass(frozen=True, slots=True)
class What:
    """What is kept the same: a project here, and a folder there, relative to the home."""

    dock: str
    project: str
    copy: str
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """How it goes. Times in seconds since 1970."""

    phase: str = "connecting"
    """`connecting`, `copying`, `live`, `waiting` (for the dock), `ended`."""
    percent: int | None = None
    same: float = 0.0
    """When both sides were last known to be the same; 0 for never."""
    conflicts: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    why: str = ""
    """Why it does not go on."""
    hint: str = ""
    settled: float = 0.0
    """The last wish for an end of all that is under way that was carried out."""


@contextmanager
def held(state: State) -> Iterator[None]:
    """Have the copy kept the same for as long as this is held. Call `want` before, once."""
    folder = folder_of(state)
    with (folder / HELD).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        begin(state)
        yield


def want(state: State, what: What) -> None:
    """Say what is to be kept the same. Raises ConfigError for a folder in which more lies than a project."""
    if state.folder.resolve().is_relative_to(Path(what.project).resolve()):
        raise ConfigError(
            f"{what.project} holds what Workbench keeps for you ({state.folder}), which must not go to {what.dock}.",
            "Start it in a folder of the project's own.",
        )
    folder = folder_of(state)
    if read(state) != what:
        tunnel.write(folder / WHAT, asdict(what))
        if kept(state):
            settle(state)


def read(state: State) -> What | None:
    """What is to be kept the same; None where nothing is."""
    found = tunnel.read(state.folder / "sync" / WHAT)
    return What(**{**found, "exclude": tuple(found["exclude"])}) if found else None


def begin(state: State) -> None:
    """Have a process that keeps the copy, unless there is one."""
    if kept(state) or read(state) is None:
        return
    folder = folder_of(state)
    (folder / STATUS).unlink(missing_ok=True)
    argv = (sys.executable, "-P", "-m", "workbench.docks.sync.keeper", state.folder.name)
    process.detach(argv, env=process.environment(), cwd=Path("/"), log=folder / LOG)


def kept(state: State) -> bool:
    """Whether a process keeps the copy."""
    return tunnel.kept(folder_of(state))


def status(state: State) -> Status | None:
    """How it goes; None while nobody has said so."""
    found = tunnel.read(state.folder / "sync" / STATUS)
    names = ("conflicts", "failed")
    return Status(**{**found, **{name: tuple(found[name]) for name in names}}) if found else None


def first(state: State, dock: str) -> Iterator[Event]:
    """Wait until both sides are the same for the first time. Raises DockError where that cannot be."""
    name, begun, hindered = f"Copy the project to {dock}", time.time(), 0.0
    yield Event("step", name, "copy")
    looked = time.monotonic()
    while True:
        now = status(state)
        if now and now.same:
            break
        if now and now.why:
            # It is tried again meanwhile: a link may come back.
            hindered = hindered or time.monotonic()
            if time.monotonic() - hindered > HINDERED:
                raise DockError(now.why, now.hint)
        else:
            hindered = 0.0
        if now is None and time.time() - begun > BEGIN and not kept(state):
            raise DockError(f"The copy on {dock} is not being kept the same.", f"Its log: {folder_of(state) / LOG}")
        if time.monotonic() - looked > 1.0:
            looked = time.monotonic()
            # Somebody may have killed it.
            begin(state)
        yield Event("progress", name, "copy", (now.percent or 0) if now else 0, 100)
        time.sleep(LOOK)
    yield Event("done", name, "copy", seconds=time.time() - begun)


def settle(state: State, patience: float = 60.0) -> bool:
    """Have everything that was saved on either side be on the other one now; False where that took too long."""
    wish = time.time()
    tunnel.write(folder_of(state) / SETTLE, {"wish": wish})
    while time.time() - wish < patience:
        now = status(state)
        if now and now.settled >= wish:
            return True
        # One that has just been begun needs a moment.
        if time.time() - wish > MOMENT and not kept(state):
            return False
        time.sleep(LOOK)
    return False


def folder_of(state: State) -> Path:
    """Where all of this lies, 0700."""
    folder = state.folder / "sync"
    for each in (folder, folder / MEMORY):
        each.mkdir(mode=0o700, exist_ok=True)
    return folder

"""The virtual environments of the local engine: made by uv beside their place and moved there when they are whole."""

import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from workbench import process
from workbench.engines.failures import FULL, NETWORK, unmet
from workbench.errors import EngineError
from workbench.model import Event, Leftover, VenvBuild

MARKER = "workbench.json"
"""In an environment: what it was made from. Written last, so a folder without it is not an environment of ours."""
SCRATCH = ".part"
"""End of the hidden folders `.NAME.RANDOM.part` beside the environment NAME in which it is made, or thrown away."""
LAST_LINES = 20
STEP, NAME = "environment", "Python environment"
DEVICES, DEVICES_NAME = "devices", "CPU and GPU environments"
FAILED = "The project's Python environment could not be made."


@dataclass(frozen=True, slots=True)
class Marker:
    """What an environment was made from. The file's modification time says when it was last used."""

    digest: str
    inputs: Mapping[str, str]
    project: str
    made: float
    """Seconds since 1970."""


def present(build: VenvBuild) -> Mapping[str, str] | None:
    """Inputs of this environment, else of the last used one of the same project, else None."""
    target = Path(build.folder)
    if marker := _marker(target):
        return marker.inputs
    markers = [(path, marker) for path, marker in _all(target.parent) if marker.project == build.project]
    return max(markers, key=lambda item: used(item[0]))[1].inputs if markers else None


def touch(folder: Path) -> None:
    """Remember that an environment was used now."""
    marker = folder / MARKER
    if marker.exists():
        os.utime(marker)


def used(folder: Path) -> float:
    """When an environment was last used, in seconds since 1970."""
    return (folder / MARKER).stat().st_mtime


def made(folder: Path) -> float | None:
    """When an environment was made, in seconds since 1970; None when it is not one of ours."""
    marker = _marker(folder)
    return marker.made if marker else None


def provide(build: VenvBuild) -> Iterator[Event]:
    """Have the environment. One process makes it; others that want the same one wait for it."""
    from filelock import FileLock, Timeout

    target = Path(build.folder)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(_lock(target), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield Event("note", "Another launch is making this environment; waiting for it.")
        lock.acquire()
    try:
        marker = _marker(target)
        if marker and marker.digest == build.digest and not build.force:
            yield Event("cached", NAME, step=STEP)
        else:
            yield from _make(build, target)
    finally:
        lock.release()


def leftovers(folder: Path, in_use: Collection[str]) -> list[Leftover]:
    """Environments in this folder that nothing needs, and what a launch that was ended left half-made."""
    kept: dict[str, float] = {}
    environments = _all(folder)
    for path, marker in environments:
        kept[marker.project] = max(kept.get(marker.project, 0.0), used(path))
    found = []
    for path, marker in environments:
        why = "" if str(path) in in_use else _why(path, marker, kept[marker.project])
        if why:
            found.append(_leftover(path, marker.project, why))
    return found + [_leftover(path, "", "never finished") for path in _unfinished(folder)]


def delete(folder: Path, path: Path) -> None:
    """Remove an environment of this folder; refuses what is not one of ours."""
    ours = path.parent == folder and (_marker(path) is not None or path.suffix == SCRATCH)
    if not ours:
        raise EngineError(f"{path} is not an environment of Workbench.", "Remove it yourself if it is not needed.")
    if path.suffix == SCRATCH:
        shutil.rmtree(path)
    else:
        # Moved first: killed half-way, what is left is not taken for an environment.
        with _scratch(path) as scratch:
            path.rename(scratch / path.name)


def _make(build: VenvBuild, target: Path) -> Iterator[Event]:
    for abandoned in _abandoned(target):
        shutil.rmtree(abandoned, ignore_errors=True)
    with _scratch(target) as scratch:
        made = scratch / target.name
        dependencies, devices = scratch / "dependencies", scratch / "devices.json"
        _write(dependencies, build.files)
        options = (*(("--python", build.python) if build.python else ()), "--apart", ",".join(build.apart))
        yield from _run(build, STEP, NAME, _command("environment", dependencies, made, *options))
        if build.devices:
            devices.write_text(build.devices, encoding="utf-8")
            yield from _run(build, DEVICES, DEVICES_NAME, _command("overlays", dependencies, devices, made))
        _mark(made, build)
        if target.exists():
            target.rename(scratch / "old")
        made.rename(target)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """A folder (0700) on the same disk, new each time: an installer that outlived its launcher works in another one."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=SCRATCH, dir=target.parent))
    try:
        yield folder
    finally:
        # What cannot be removed now is listed as a leftover.
        shutil.rmtree(folder, ignore_errors=True)


def _failure(build: VenvBuild, words: Sequence[str]) -> EngineError:
    if any(FULL.search(line) for line in words):
        hint = "The disk is full: free some space; `workbench prune --dry-run` lists what Workbench can remove."
        return EngineError(FAILED, hint, detail=words)
    if device := unmet(words):
        return device
    if any(NETWORK.search(line) for line in words):
        hint = "uv could not reach a server: check network, proxy and certificates; `pip download pip` tells more."
        return EngineError(FAILED, hint, detail=words)
    files = ", ".join(sorted(build.files)) or "none is there"
    hint = f"Correct the dependency file that uv names ({files}), then run the same command again."
    return EngineError(FAILED, hint, detail=words)


def _run(build: VenvBuild, step: str, name: str, command: Sequence[str]) -> Iterator[Event]:
    """One script of ours, as a step of that name."""
    began = time.monotonic()
    yield Event("step", name, step=step)
    last: deque[str] = deque(maxlen=LAST_LINES)
    running = process.lines(command, env=_environment(build))
    try:
        code = yield from _outputs(running, step, last)
    finally:
        running.close()
    if code != 0:
        yield Event("failed", name, step=step, seconds=time.monotonic() - began)
        raise _failure(build, tuple(last))
    yield Event("done", name, step=step, seconds=time.monotonic() - began)


def _outputs(running: Generator[str, None, int], step: str, last: deque[str]) -> Generator[Event, None, int]:
    while True:
        try:
            line = next(running)
        except StopIteration as end:
            return int(end.value)
        last.append(line)
        yield Event("output", line, step=step)


def _command(script: str, *arguments: object) -> tuple[str, ...]:
    """A script of `inside/`, as a module of this package, never of one that lies where the user is."""
    return (sys.executable, "-P", "-m", f"workbench.inside.{script}", *map(str, arguments))


def _environment(build: VenvBuild) -> dict[str, str]:
    """uv's own switches. Relocatable, because the environment moves to its place when it is whole."""
    return {**build.env, "UV_VENV_RELOCATABLE": "1", **({"UV_OFFLINE": "1"} if build.offline else {})}


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _mark(folder: Path, build: VenvBuild) -> None:
    from msgspec import json

    marker = Marker(build.digest, dict(build.inputs), build.project, time.time())
    (folder / MARKER).write_bytes(json.format(json.encode(marker)))


def _marker(folder: Path) -> Marker | None:
    from msgspec import DecodeError, json

    try:
        return json.decode((folder / MARKER).read_bytes(), type=Marker)
    except (FileNotFoundError, NotADirectoryError, DecodeError):  # A marker cut off by a power failure marks nothing.
        return None


def _all(folder: Path) -> list[tuple[Path, Marker]]:
    """Every whole environment in a folder."""
    found = ((path, _marker(path)) for path in sorted(folder.glob("[!.]*")))
    return [(path, marker) for path, marker in found if marker is not None]


def _lock(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")


def _abandoned(target: Path) -> list[Path]:
    """Scratch folders of an environment that nobody makes now: its lock must be held."""
    return sorted(target.parent.glob(f".{escape(target.name)}.*{SCRATCH}"))


def _unfinished(folder: Path) -> list[Path]:
    """Scratch folders that no launch is working in."""
    from filelock import FileLock, Timeout

    found = []
    for path in sorted(folder.glob(f".*{SCRATCH}")):
        target = path.with_name(path.name[1:].rsplit(".", 2)[0])
        try:
            with FileLock(_lock(target), timeout=0):
                found.append(path)
        except Timeout:
            continue
    return found


def _why(path: Path, marker: Marker, newest: float) -> str:
    if not Path(marker.project).is_dir():
        return "its project is gone"
    return "the project has a newer one" if used(path) < newest else ""


def _leftover(path: Path, project: str, why: str) -> Leftover:
    return Leftover("environment", str(path), path.name, project, why, size(path))


def size(folder: Path) -> int:
    """Bytes that removing a folder frees: what it shares with uv's cache by hard links stays."""
    facts = (Path(root, name).lstat() for root, _, names in os.walk(folder) for name in names)
    return sum(fact.st_size for fact in facts if fact.st_nlink == 1)

"""The place that a test run stands on: its folders, what it offers to the tests, what it had to leave out."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

CHECKOUT = Path(__file__).resolve().parents[2]
SOCKETS = Path("/run/workbench-tests")
"""Short, because the path of a unix socket may have 107 characters."""
BASE_IMAGE = "python:3.11-slim-bookworm"


@dataclass
class Ground:
    """Collects, while the steps run, the variables for pytest and the reasons for what is missing."""

    cache: Path
    """Kept between runs: environments, package caches, the base system, the engines' data."""
    work: Path
    """For this run only. Everybody may enter it: a normal user's projects lie there."""
    env: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    enter: tuple[str, ...] = ()
    """Command prefix that runs a program in the network of the engines."""

    def offer(self, name: str, value: str | Path) -> None:
        """Tell the tests where something is: `offer("REGISTRY", …)` sets `WORKBENCH_TEST_REGISTRY`."""
        self.env[f"WORKBENCH_TEST_{name}"] = str(value)

    def leave_out(self, name: str, why: str) -> None:
        """Note that something is missing, and tell the tests why."""
        self.left_out.append(f"{name.lower().replace('_', ' ')}: {why}")
        self.env[f"WORKBENCH_TEST_{name}_WHY"] = why
        say(f"left out: {name.lower()} ({why})")


def clear_sockets() -> None:
    """Remove the folder of sockets, with what an engine has left mounted there: dockerd the network of its host."""
    unmount_below(SOCKETS)
    shutil.rmtree(SOCKETS, ignore_errors=True)


def unmount_below(folder: Path) -> None:
    """Take away what is mounted below a folder: an engine that was killed has left it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([each for each in mounts if each.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


def say(text: str) -> None:
    """One line about what is being done."""
    print(f"[tests] {text}", flush=True)


def is_root() -> bool:
    """Whether this process may install packages and start engines."""
    return os.name == "posix" and os.geteuid() == 0


def cache_folder() -> Path:
    """The folder that is kept between runs.

    Root's is not in its home: the normal user of the tests must be able to reach the environment in it.
    """
    if given := os.environ.get("WORKBENCH_TEST_CACHE"):
        return Path(given).resolve()
    if is_root():
        return Path("/var/cache/notebook-workbench-tests")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "notebook-workbench-tests"


@contextmanager
def ground() -> Iterator[Ground]:
    """Take the machine for this run; a second run waits for the first."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    # Root's network namespace and sockets have one place on a machine, whatever the cache folder.
    place = SOCKETS.with_suffix(".lock") if is_root() else cache / "lock"
    with place.open("a+") as lock:
        _take(lock.fileno())
        lock.seek(0)
        if left := lock.read():  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix="workbench-tests-", dir=_short_temporary_folder()))
        work.chmod(0o755)
        _write(lock, str(work))
        try:
            yield Ground(cache, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            _write(lock, "")


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another run of the tests is under way on this machine; waiting for it to end")
        began = time.monotonic()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        say(f"waited {time.monotonic() - began:.0f} s")


def _short_temporary_folder() -> str:
    return "/var/tmp" if is_root() else tempfile.gettempdir()

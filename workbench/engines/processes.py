"""Processes of this machine as the local engine sees them: who they are, what they use, how they end. Imported late."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from workbench.model import Stats

SAME = 2.0
"""Seconds within which two creation times are the same: the clock they are computed from may be adjusted."""
SAMPLE = 0.15
"""Seconds over which CPU use is measured."""
PAUSE = 0.05
MARK = "WORKBENCH_RECORD"
"""Environment variable of a server: the path of its record."""


def created(pid: int) -> float | None:
    """When a process was created (seconds since 1970); None when it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def living(pid: int, since: float) -> psutil.Process | None:
    """The process with this id and creation time, None when it has ended, even if the id was given to another one."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - since) < SAME
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:  # Gone, or somebody else's: not ours.
        return None


def marked(record: Path) -> psutil.Process | None:
    """The server with this record's path in its environment: the oldest such process, for kernels inherit it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(record):
                found.append(process)
        except psutil.Error:
            continue
    return min(found, key=lambda process: process.create_time(), default=None)


def end(server: psutil.Process, patience: float) -> None:
    """SIGTERM a server, SIGKILL it after `patience` seconds, then end whatever of its children is left."""
    children = _children(server)
    _terminate([server])
    late = _wait([server], patience)
    # What it started while it was shutting down is known only now; a dead one has no children any more.
    children += [child for stuck in late for child in _children(stuck)]
    _kill(late)
    left = _wait(children, 0)
    _terminate(left)
    _kill(_wait(left, 2.0))
    _wait([*late, *left], 2.0)


def sample(server: psutil.Process) -> Stats:
    """What a server and its kernels use now, measured over `SAMPLE` seconds."""
    family = [server, *_children(server)]
    before = {process.pid: _cpu(process) for process in family}
    began = time.monotonic()
    time.sleep(SAMPLE)
    spent = sum(max(0.0, _cpu(process) - before[process.pid]) for process in family)
    seconds = time.monotonic() - began
    disk = [_disk(process) for process in family]
    return Stats(
        cpu=spent / seconds,
        memory=sum(_memory(process) for process in family),
        memory_limit=None,
        pids=len(family),
        disk_read=sum(read for read, _ in disk),
        disk_written=sum(written for _, written in disk),
    )


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those still alive after at most `seconds`. A zombie counts as ended: its parent may never reap it."""
    until = time.monotonic() + seconds
    left = [process for process in processes if _alive(process)]
    while left and time.monotonic() < until:
        time.sleep(PAUSE)
        left = [process for process in left if _alive(process)]
    return left


def _terminate(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):  # Gone, or run by sudo in a terminal: not ours to end.
            process.terminate()


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):  # Gone, or run by sudo in a terminal: not ours to end.
            process.kill()


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _memory(process: psutil.Process) -> int:
    """Its share (pss) where the system knows it, so that pages in common are counted once; else what is resident."""
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.Error:
        return 0


def _disk(process: psutil.Process) -> tuple[int, int]:
    try:
        counters = process.io_counters()
    except (psutil.Error, AttributeError):  # macOS does not tell.
        return 0, 0
    return int(counters.read_bytes), int(counters.write_bytes)

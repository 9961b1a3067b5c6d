"""Copies of many notebooks, written or compared on all cores. One that fails keeps no other from its turn."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from workbench.model import Event
from workbench.review.findings import Finding, State

SHARE = 40
"""Notebooks that are worth another process, which takes the better part of a second to start."""
SHARE_BYTES = 5_000_000
"""The same for their sizes together."""
STEP = "notebooks"
ENDS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
"""Signals that end a command."""


Job = Callable[[Path], Finding]


def write(notebook: Path) -> Finding:
    """Write the copies of a notebook; equal ones are not touched."""
    from workbench.inside.diffs import convert, store

    def act() -> State:
        converted = convert.convert(notebook.read_bytes(), notebook.stem)
        return "written" if store.write(notebook, converted) else "fresh"

    return _tried(notebook, act)


def compare(notebook: Path) -> Finding:
    """Say whether the copies of a notebook are what it would be converted to."""
    from workbench.inside.diffs import store

    return _tried(notebook, lambda: store.state(notebook))


def forget(notebook: Path) -> Finding:
    """Remove what is left of a notebook that is gone; `fresh` when that is nothing."""
    from workbench.inside.diffs import store

    return _tried(notebook, lambda: "removed" if store.remove(notebook) else "fresh")


def remove(orphans: Sequence[Path]) -> list[Finding]:
    """Remove copies whose notebook is gone: a finding for each, and for what could not be removed."""
    from workbench.inside.diffs import paths

    notebooks = sorted({notebook for copy in orphans if (notebook := paths.notebook_of(copy))})
    failed = [finding for finding in map(forget, notebooks) if finding.state == "failed"]
    return failed + [Finding(copy, "removed") for copy in orphans if not copy.exists()]


def _tried(notebook: Path, act: Callable[[], State]) -> Finding:
    from workbench.inside.diffs.convert import Unreadable

    try:
        return Finding(notebook, act())
    except Unreadable as error:
        return Finding(notebook, "failed", str(error))
    except OSError as error:
        return Finding(notebook, "failed", f"{error.strerror}: {error.filename or notebook}.")
    except Exception as error:  # whatever a notebook does to the converters: the others get their copies
        return Finding(notebook, "failed", f"It cannot be converted: {type(error).__name__}: {error}")


def each(doing: str, job: Job, notebooks: Sequence[Path], found: list[Finding]) -> Iterator[Event]:
    """Do the job for every notebook, on all cores where that is quicker; `doing` says what that is.

    The findings are appended as they come.
    """
    total = len(notebooks)
    if not total:
        return
    yield Event("step", f"{doing} {total} notebook{'s' if total > 1 else ''}", step=STEP)
    workers = _workers(notebooks)
    findings = map(job, notebooks) if workers == 1 else shared(job, notebooks, workers)
    for done, finding in enumerate(findings, 1):
        found.append(finding)
        yield Event("progress", step=STEP, done=done, total=total)
        yield Event("output", f"{done} / {total}", step=STEP)


def _workers(notebooks: Sequence[Path]) -> int:
    size = sum(path.stat().st_size for path in notebooks if path.exists())
    worth = max(len(notebooks) // SHARE, min(len(notebooks), size // SHARE_BYTES))
    return max(1, min(_cores(), worth))


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shared(job: Job, notebooks: Sequence[Path], workers: int) -> Iterator[Finding]:
    """Findings in the order in which they come.

    A process that is killed (no memory is left) takes the pool with it. What is then missing is done one after the
    other, so that it is known which notebook that was.
    """
    left = dict.fromkeys(notebooks)
    while left:
        with _pool(workers) as pool:
            try:
                for finding in _finished(pool, job, left):
                    del left[finding.path]
                    yield finding
            except BrokenProcessPool:
                if workers == 1:
                    first = next(iter(left))
                    del left[first]
                    yield Finding(first, "failed", "Its conversion was killed: perhaps no memory was left.")
                workers = 1


def _pool(workers: int) -> ProcessPoolExecutor:
    # Not forked: what this process has open and running stays its own, on every system.
    with _undisturbed():
        return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_stay_with_parent)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Start processes whole, and deaf to what a terminal sends to all that run in it: that is for us to handle."""
    heard: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in ENDS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for each, handler in handlers.items():
            signal.signal(each, handler)
    for number in heard:
        signal.raise_signal(number)


def _stay_with_parent() -> None:
    """In a process of the pool: be ended by who means it, and do not outlive a parent that was killed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _finished(pool: ProcessPoolExecutor, job: Job, notebooks: Iterable[Path]) -> Iterator[Finding]:
    with _undisturbed():
        futures: list[Future[Finding]] = [pool.submit(job, notebook) for notebook in notebooks]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

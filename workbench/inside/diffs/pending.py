"""What is still to be done so that the copies follow the notebooks. Pure: the time is told, nothing waits.

A job to write says "have the copies be what the notebook is then", so that jobs to write may be done in any order,
once for many saves, and again. Copies that follow a rename come before them, in the order of the renames.
"""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from workbench.inside.diffs.paths import wanted

PAUSE = 0.3
"""Seconds from a save to its copies: saves in quick succession are one."""
AGAIN = 1.0
"""Seconds after which what failed is tried once more: it may have been a notebook that was being written."""
IDLE = 2.0
"""Seconds from the first look at a notebook to the loading of the converters: the page comes first."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do. Paths are relative to the project; without any, the converters are to be loaded."""

    notebook: str = ""
    was: str = ""
    """The name before, where copies are to follow a rename."""
    again: bool = False
    """Whether this has failed before."""


LOAD = Job()


class Pending:
    """The jobs that are left, of which one can be running."""

    def __init__(self) -> None:
        self._moves: deque[Job] = deque()
        self._due: dict[str, tuple[float, Job]] = {}
        self._running: Job | None = None
        self._loaded = False

    @property
    def notebooks(self) -> set[str]:
        """Those whose copies are not there yet, or are being written."""
        jobs = [*self._moves, *(job for _, job in self._due.values()), *filter(None, [self._running])]
        return {job.notebook for job in jobs} - {LOAD.notebook}

    def heard(self, action: str, path: str, source: str, now: float) -> None:
        """Take in an event of the contents manager."""
        path, source = path.strip("/"), source.strip("/")
        if action == "rename":
            self._renamed(source, path, now)
        elif action == "delete":
            self._deleted(path, now)
        elif _is_notebook(path):
            if action != "get":
                self._write(path, now + PAUSE)
            if not self._loaded:
                self._loaded = True
                self._due[LOAD.notebook] = (now + IDLE, LOAD)

    def take(self, now: float, *, hurry: bool = False) -> Job | None:
        """The next job that is due; it runs from now on. In a hurry, all that notebooks wait for is due."""
        if self._moves:
            self._running = self._moves.popleft()
            return self._running
        due = [(at, name) for name, (at, job) in self._due.items() if at <= now or (hurry and job != LOAD)]
        self._running = self._due.pop(min(due)[1])[1] if due else None
        if due:
            self._due.pop(LOAD.notebook, None)  # what is converted loads them, too
        return self._running

    def wait(self, now: float) -> float | None:
        """Seconds until the next job is due; None if there is none."""
        times = [at for at, _ in self._due.values()]
        return 0.0 if self._moves else max(0.0, min(times) - now) if times else None

    def done(self) -> Job:
        """The running job, under its present name, has come to its end."""
        job, self._running = self._running, None
        return job or LOAD

    def failed(self, now: float, *, once: bool = False) -> Job | None:
        """The running job has failed. Returns it, under its present name, if that is final.

        It is tried again, unless `once` is enough; a newer save makes it a job like any other.
        """
        job = self.done()
        if job == LOAD or job.was or job.notebook in self._due:
            return None
        if job.again or once:
            return job
        self._due[job.notebook] = (now + AGAIN, Job(job.notebook, again=True))
        return None

    def _write(self, notebook: str, at: float) -> None:
        before, _ = self._due.get(notebook, (at, None))
        self._due[notebook] = (min(at, before), Job(notebook))

    def _deleted(self, path: str, now: float) -> None:
        self._due = {name: rest for name, rest in self._due.items() if not is_below(name, path)}
        if _is_notebook(path):
            self._write(path, now)

    def _renamed(self, old: str, new: str, now: float) -> None:
        """What lies in a folder has been moved with it, copies too; only the names are others."""

        def renamed(job: Job) -> Job:
            if job.notebook == old or not is_below(job.notebook, old):
                return job
            return Job(new + job.notebook[len(old) :], job.was and new + job.was[len(old) :], job.again)

        self._moves = deque(map(renamed, self._moves))
        jobs = [(at, renamed(job)) for at, job in self._due.values() if job.notebook != old]
        self._due = {job.notebook: (at, job) for at, job in jobs if job == LOAD or _is_notebook(job.notebook)}
        if self._running and renamed(self._running) != self._running:
            self._running = renamed(self._running)
            self._write(self._running.notebook, now)
        if _is_notebook(old) and _is_notebook(new):
            self._moves.append(Job(new, was=old))
        for name in filter(_is_notebook, (old, new)):
            self._write(name, now)


def is_below(name: str, path: str) -> bool:
    """Whether a path is another one, or lies in it."""
    return name == path or name.startswith(f"{path}/")


def _is_notebook(path: str) -> bool:
    return wanted(Path(path))
